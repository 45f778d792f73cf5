"""The settings of a distillation: bounds, what excludes what, and the record beside a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from limpet.core.errors import DataError
from limpet.distillation.config import (
    FILE,
    DistillationConfig,
    DistillationLossConfig,
    DistillationRecord,
    MapChoice,
    MobileVOSConfig,
    map_pair,
    record,
)

OLD = Path(__file__).parents[1] / "core" / "fixtures" / "distillation-1.json"


def made(**settings: Any) -> DistillationRecord:
    return DistillationRecord("deaot-l", "a" * 64, "deaot-t", DistillationConfig(**settings))


def test_maps_are_named_by_their_layers() -> None:
    assert map_pair("-1:-1") == (MapChoice(-1), MapChoice(-1))
    assert map_pair("0:2:self") == (MapChoice(0, "self"), MapChoice(2, "self"))
    with pytest.raises(DataError, match=r"maps='last' is not understood; expected .* for instance -1:-1"):
        map_pair("last")


def test_maps_are_needed_only_where_attention_is_compared() -> None:
    assert DistillationConfig().pairs == ((MapChoice(), MapChoice()),)
    assert DistillationConfig(DistillationLossConfig(attention="none")).pairs == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": "cached"}, "no attention in them; use attention='none', or labels='online'"),
        (
            {"labels": "cached", "features": "pefd", "loss": DistillationLossConfig(attention="none")},
            "no features in them; use labels='online'",
        ),
        ({"loss": DistillationLossConfig("none", "none")}, "nothing would be learned from the teacher"),
        ({"label_weight": -1.0}, r"label_weight is -1\.0, expected a number of at least 0"),
        ({"method": "mobilevos", "labels": "cached"}, "labels does nothing with the method 'mobilevos'"),
        (
            {"method": "mobilevos", "loss": DistillationLossConfig(attention_weight=2.0)},
            "attention_weight does nothing with the method 'mobilevos'; leave it out, or use method='attention'",
        ),
        (
            {"mobilevos": MobileVOSConfig(omega=0.0)},
            "omega does nothing with the method 'attention'; leave it out, or use method='mobilevos'",
        ),
        (
            {"method": "mobilevos", "mobilevos": MobileVOSConfig(representation="none", logit_weight=0)},
            "nothing would be learned from the teacher",
        ),
        ({"method": "mobile"}, "method is 'mobile', expected one of attention, mobilevos"),
        ({"features": "all"}, "features is 'all', expected one of none, hints, pefd, mobilevos"),
    ],
)
def test_settings_that_exclude_one_another_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        DistillationConfig(**settings)


def test_mobilevos_has_the_papers_settings_and_no_attention_maps() -> None:
    config = DistillationConfig.from_options({"method": "mobilevos", "omega": 1.0})
    assert config.pairs == () and config.mobilevos == MobileVOSConfig(omega=1.0)
    paper = MobileVOSConfig()
    assert (paper.omega, paper.logit_temperature, paper.sampling) == (0.95, 0.1, "boundary")
    assert paper.feature_weight == paper.logit_weight == config.label_weight == 1.0
    kept = made(method="mobilevos", mobilevos=MobileVOSConfig(omega=0.2))
    assert DistillationRecord.from_json(kept.as_json()) == kept


def test_attention_has_another_default_with_cached_labels() -> None:
    assert DistillationConfig.from_options({}) == DistillationConfig()
    cached = DistillationConfig.from_options({"labels": "cached", "label_weight": 0.5})
    assert (cached.labels, cached.loss.attention, cached.label_weight) == ("cached", "none", 0.5)
    with pytest.raises(DataError, match="use attention='none'"):
        DistillationConfig.from_options({"labels": "cached", "attention": "cka"})


def test_a_run_that_is_resumed_has_the_settings_it_was_begun_with(tmp_path: Path) -> None:
    begun = made(label_weight=0.5)
    assert record(begun, tmp_path, resume=False) == begun
    assert json.loads((tmp_path / FILE).read_text())["version"] == 2
    assert record(made(), tmp_path, resume=True, given=()) == begun, "what was not given does not count"
    with pytest.raises(DataError, match=r"begun with other settings: label_weight was 0\.5, is now 1\.0"):
        record(made(), tmp_path, resume=True, given={"label_weight"})
    with pytest.raises(DataError, match="begun with other models: student was 'deaot-t', is now 'deaot-s'"):
        record(DistillationRecord("deaot-l", "a" * 64, "deaot-s"), tmp_path, resume=True, given=())


def test_a_run_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(OLD.read_text())
    now = DistillationRecord("deaot-l", "0" * 64, "deaot-t-deformable")
    assert record(now, tmp_path, resume=True, given=()).settings.loss.attention_weight == 0.5
