"""Settings described once: bounds, flat names, and what a resumed run may change."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from limpet.core.config_fields import build, check_options, option, resume_config, settings_of
from limpet.core.errors import DataError
from limpet.data.config import ClipConfig
from limpet.distillation.config import DistillationConfig
from limpet.training.config import TrainConfig


@dataclass(frozen=True)
class Inner:
    pair: tuple[float, float] = option((0.0, 1.0), help="Two shares.", group="Inner", min=0, max=1)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class Outer:
    steps: int = option(10, help="Steps.", group="Outer", min=1, primary=True, may_change=True)
    inner: Inner = field(default_factory=Inner)
    rate: float = option(0.1, help="Rate.", group="Outer", above=0, max=2)
    gap: int | None = option(None, help="Gap.", group="Outer", min=1)
    kind: str = option("a", help="Kind.", group="Outer", choices=("a", "b"), flag="--sort")

    def __post_init__(self) -> None:
        check_options(self)


def test_settings_are_listed_with_all_that_the_command_line_needs() -> None:
    found = settings_of(Outer)
    assert [setting.name for setting in found] == ["steps", "pair", "rate", "gap", "kind"]
    assert [setting.path for setting in found][:2] == [("steps",), ("inner", "pair")]
    assert [setting.flag for setting in found] == ["--steps", "--pair", "--rate", "--gap", "--sort"]
    assert found[0].type is int and found[1].type == tuple[float, float] and found[3].type == int | None
    assert found[1].default == (0.0, 1.0) and found[0].option.primary


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps is 0, expected a number of at least 1"),
        ({"rate": 0.0}, r"rate is 0\.0, expected a number above 0 and of at most 2"),
        ({"rate": 2.5}, r"rate is 2\.5, expected a number above 0 and of at most 2"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"gap": 0}, "gap is 0, expected a number of at least 1"),
        ({"kind": "c"}, "kind is 'c', expected one of a, b"),
        ({"pair": (0.5, 1.5)}, r"pair is \(0\.5, 1\.5\), expected two numbers from 0 to 1"),
    ],
)
def test_values_out_of_bounds_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        build(Outer, settings)


def test_a_configuration_is_built_from_flat_names() -> None:
    built = build(Outer, {"pair": (0.5, 0.5), "steps": 3, "another": 1})
    assert built == Outer(steps=3, inner=Inner((0.5, 0.5)))
    assert build(Outer, {}) == Outer()


def test_a_resumed_run_keeps_its_own_settings() -> None:
    begun = Outer(steps=5, rate=0.5, inner=Inner((0.25, 0.5)))
    assert resume_config(begun, Outer(), given=(), where="the run") == begun
    assert resume_config(begun, Outer(steps=9), given={"steps"}, where="the run").steps == 9
    same = Outer(steps=9, rate=0.5)
    assert resume_config(begun, same, given={"rate", "steps"}, where="the run").inner == begun.inner
    message = (
        r"the run was begun with other settings: pair was \(0\.25, 0\.5\), is now \(0\.0, 1\.0\); rate was 0\.5, "
        r"is now 0\.1; resume it without changing these, or choose another folder"
    )
    with pytest.raises(DataError, match=message):
        resume_config(begun, Outer(), given=None, where="the run")


@pytest.mark.parametrize("config", [TrainConfig, DistillationConfig])
def test_every_setting_is_described(config: type) -> None:
    settings = settings_of(config)
    names = [setting.name for setting in settings]
    assert len(names) == len(set(names)), "flat names are unique"
    for setting in settings:
        about = setting.option
        assert about.help[-1] in ".]" and about.help[0] != " ", setting.name
        assert about.group and about.allows(setting.default), setting.name


def test_every_field_is_a_setting_or_holds_settings() -> None:
    from dataclasses import fields

    for config, nested in (
        (TrainConfig, {"clips"}),
        (ClipConfig, set()),
        (DistillationConfig, {"loss", "mobilevos"}),
    ):
        described = {setting.path[0] for setting in settings_of(config)}
        assert described == {each.name for each in fields(config)}
        assert {s.path[0] for s in settings_of(config) if len(s.path) > 1} == nested


def test_settings_are_read_without_torch() -> None:
    code = (
        "import sys, limpet.training.config, limpet.distillation.config, limpet.data.config;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
