"""Saved settings of every version are read, and what is of no version is refused in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from limpet.core.errors import DataError
from limpet.core.saved_config import RENAMES, upgrade
from limpet.data.config import ClipConfig
from limpet.distillation.config import (
    DistillationConfig,
    DistillationLossConfig,
    DistillationRecord,
    MapChoice,
)
from limpet.training.config import TrainConfig

FIXTURES = Path(__file__).parent / "fixtures"


def read(name: str) -> dict[str, object]:
    content: dict[str, object] = json.loads((FIXTURES / name).read_text())
    return content


def test_a_training_of_the_first_version_is_read() -> None:
    """The fixture is the configuration in the header of a checkpoint that was made then."""
    values = read("training-1.json")
    config = TrainConfig.from_json(values)
    assert config == TrainConfig(
        model="deaot-t-deformable",
        steps=2400,
        clips=ClipConfig(
            frames=5, size=385, batch=1, seed=41, video_prob=(0.55, 0.55), crowd_prob=(0.4, 0.4),
            attached_object_prob=0.3, max_frame_gap=(6, 14),
        ),
        learning_rate=1.5e-4, min_learning_rate=1e-5, encoder_lr_ratio=0.25, weight_decay=0.05,
        teacher_forcing_until=0.0, train_id_bank_throughout=True, mask_corruption_prob=0.3, long_term_gap=1,
        precision="32-true", save_every=50, score_every=0,
    )  # fmt: skip


def test_a_distillation_of_the_first_version_is_read() -> None:
    record = DistillationRecord.from_json(read("distillation-1.json"))
    maps = ((MapChoice(-1), MapChoice(2, "self")),)
    loss = DistillationLossConfig("kl", "cka", attention_weight=0.5)
    settings = DistillationConfig(loss, label_weight=0.25, maps=maps, labels="online")
    assert record == DistillationRecord("deaot-l", "0" * 64, "deaot-t-deformable", settings)


@pytest.mark.parametrize("config", [TrainConfig(long_term_gap=3), DistillationRecord("l", "0", "t")])
def test_what_is_written_is_read(config: TrainConfig | DistillationRecord) -> None:
    plain = json.loads(json.dumps(config.as_json()))
    assert plain["version"] == 2
    assert type(config).from_json(plain) == config


def test_later_versions_and_foreign_fields_are_refused() -> None:
    plain = TrainConfig().as_json()
    with pytest.raises(DataError, match="are of version 3, and this limpet reads up to 2; update limpet"):
        TrainConfig.from_json({**plain, "version": 3})
    with pytest.raises(DataError, match="colour: no version of TrainConfig has such a setting"):
        TrainConfig.from_json({**plain, "colour": 1})
    with pytest.raises(DataError, match="smallest_rate: no version of TrainConfig"):
        TrainConfig.from_json({**plain, "smallest_rate": 1})
    with pytest.raises(DataError, match=r"of a distillation cannot be read: .*teacher"):
        DistillationRecord.from_json({"version": 2})


def test_the_table_leads_to_settings_that_there_are() -> None:
    today = {
        "training": TrainConfig().as_json(),
        "distillation": DistillationRecord("l", "0", "t").as_json(),
    }
    assert today.keys() == RENAMES.keys()
    for kind, versions in RENAMES.items():
        for old, new in versions[-1].items():
            values: object = today[kind]
            for part in new.split("."):
                assert isinstance(values, dict) and part in values, f"{old} -> {new}"
                values = values[part]
            assert upgrade({}, kind) == {}
