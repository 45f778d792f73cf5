"""``limpet.distill``: from photos to the weights of a student, and what it refuses before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
from training.tiny import make_stills, tiny_run

import limpet
from limpet.core.errors import DataError
from limpet.distillation.config import DistillationConfig


def test_a_student_is_made_of_photos(tmp_path: Path) -> None:
    make_stills(tmp_path / "stills")
    teacher = limpet.load("deaot-nano", device="cpu", max_size=64)
    training = tiny_run(steps=1, model="deaot-nano")
    config = DistillationConfig.from_options({"labels": "cached"})
    result = limpet.distill(
        tmp_path / "run", teacher=teacher, training=training, config=config, stills=tmp_path / "stills", device="cpu"
    )  # fmt: skip
    assert result.weights.is_file() and (tmp_path / "run/distillation.json").is_file()
    other = DistillationConfig.from_options({"labels": "cached", "label_weight": 0.5})
    with pytest.raises(DataError, match=r"label_weight was 1.0, is now 0.5"):
        limpet.distill(
            tmp_path / "run", teacher=teacher, training=training, config=other, stills=tmp_path / "stills",
            device="cpu", resume=True,
        )  # fmt: skip


def test_what_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing to learn from; give videos='DIR', stills='DIR', or both"):
        limpet.distill(tmp_path / "run")
    with pytest.raises(DataError, match=r"there are 2 strides for 1 sources of footage; give one for all"):
        limpet.distill(tmp_path / "run", ["footage"], strides=(1, 2))
    with pytest.raises(DataError, match=r"footage"):
        limpet.distill(tmp_path / "run", [str(tmp_path)])
    assert not (tmp_path / "run").exists()
