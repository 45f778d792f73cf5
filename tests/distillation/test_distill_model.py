"""``limpet.distill``: from photos to the weights of a student, and what it refuses before any work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from training.tiny import make_stills, tiny_run

import limpet
from limpet.core.errors import DataError
from limpet.distillation.config import DistillationConfig
from limpet.distillation.distill_model import distill
from limpet.distillation.label_footage import LabelResult
from limpet.training.checkpoint import CHECKPOINT, load_checkpoint
from limpet.training.train_model import TrainResult
from limpet.weights.weights_file import read_weights

from .labelling import FRAMES, Teacher


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


CACHED = DistillationConfig.from_options({"labels": "cached"})


def run(place: Path, teacher: Teacher, steps: int = 2, **options: Any) -> TrainResult:
    training = tiny_run(model="deaot-nano", steps=steps, save_every=2)
    config = options.pop("config", CACHED)
    return distill(
        place / "run", [str(place / "footage")], teacher=teacher, training=training, config=config,
        first_masks=place / "masks", device="cpu", **options,
    )  # fmt: skip


def test_from_footage_to_weights(place: Path, teacher: Teacher) -> None:
    done: list[tuple[str, LabelResult]] = []
    frames: list[tuple[str, int, int | None]] = []
    result = run(
        place,
        teacher,
        on_labelled=lambda *facts: done.append(facts),
        on_label_frame=lambda *facts: frames.append(facts),
    )
    assert read_weights(result.weights).model == "deaot-nano"
    assert [(name, [clip.name for clip in found.clips]) for name, found in done] == [
        ("footage", ["cat", "dog"])
    ]
    assert frames[0] == ("cat (1 of 2)", 1, FRAMES) and frames[-1] == ("dog (2 of 2)", FRAMES, FRAMES)
    assert (place / "run" / "labels" / "footage" / "labels.json").is_file()


def test_a_run_goes_on_without_labelling_again(place: Path, teacher: Teacher) -> None:
    run(place, teacher)
    teacher.steps = 0
    run(place, teacher, steps=3, config=DistillationConfig(), resume=True, given={"steps"})
    assert teacher.steps == 0
    assert load_checkpoint(place / "run" / CHECKPOINT).config.steps == 3
    with pytest.raises(DataError, match=r"begun with other settings: .*labels was 'cached', is now 'online'"):
        run(place, teacher, steps=3, config=DistillationConfig(), resume=True)
