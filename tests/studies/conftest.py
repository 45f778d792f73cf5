"""Studies of narrow networks on three photos and two tiny videos: a run takes a second."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.per_object import PerObjectConfig
from networks import NARROW, lively_model
from PIL import Image
from tiny_encoder import TINY
from training.tiny import CLIPS, make_stills

from limpet import registry
from limpet.models import AOTConfig, DeAOTConfig
from limpet.models.deformable import DeformableConfig
from limpet.studies.conditions import Conditions, Start, StudyData, small_data
from limpet.studies.footprint import footprint
from limpet.studies.scale import Scale, Stage
from limpet.tracking.tracker import Tracker
from limpet.training.config import TrainConfig
from limpet.weights.weights_file import Weights, write_weights

PLAIN = DeAOTConfig(encoder=TINY, propagation=NARROW)
DEFORMABLE = replace(PLAIN, propagation=replace(NARROW, deformable=DeformableConfig()))
PRESETS: dict[str, Any] = {
    "deaot-t": PLAIN,
    "deaot-t-deformable": DEFORMABLE,
    "deaot-s": replace(PLAIN, layers=2),
    "deaot-s-deformable": replace(DEFORMABLE, layers=2),
    "deaot-l": replace(PLAIN, layers=3, long_term_gap=5),
    "r50-deaot-l": replace(PLAIN, layers=3, long_term_gap=5),
    "aot-t": AOTConfig(encoder=TINY, layers=1),
    "mobilevos-resnet-18": PerObjectConfig(),
    "mobilevos-mobilenet-v2": PerObjectConfig(),
    "mobilevos-mobilenet-v2-small": PerObjectConfig(channels=8),
}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The presets of the studies, but narrow."""
    registry.entries()
    for name, config in PRESETS.items():
        entry = registry.ModelEntry(name, "narrow", lambda config=config: config)
        monkeypatch.setitem(registry._ENTRIES, name, entry)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is measured on 480x854 otherwise: most of the time here."""
    monkeypatch.setattr("limpet.studies.student.footprint", partial(footprint, size=(64, 80)))


def write_model(path: Path, name: str, seed: int) -> Path:
    """A random network's weights."""
    write_weights(path, Weights(name, lively_model(PRESETS[name], seed).state_dict()))
    return path


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with stills, DAVIS with train and val, YouTube-VOS, and the weights start and teacher."""
    root = tmp_path_factory.mktemp("study")
    make_stills(root / "stills")
    for name in ("one", "two"):
        make_video(root / "davis/JPEGImages/480p" / name, root / "davis/Annotations/480p" / name)
    make_video(root / "youtube/train/JPEGImages/three", root / "youtube/train/Annotations/three", step=5)
    (root / "davis/ImageSets/2017").mkdir(parents=True)
    (root / "davis/ImageSets/2017/train.txt").write_text("one\n")
    (root / "davis/ImageSets/2017/val.txt").write_text("two\n")
    listed = {"videos": {"three": {"objects": {"1": {"category": "box", "frames": []}}}}}
    (root / "youtube/train/meta.json").write_text(json.dumps(listed))
    write_model(root / "start.safetensors", "deaot-t", seed=2)
    write_model(root / "teacher.safetensors", "deaot-l", seed=1)
    write_model(root / "r50.safetensors", "r50-deaot-l", seed=1)
    return root


def make_video(frames: Path, masks: Path, count: int = 8, step: int = 1) -> None:
    """Noise, 64x80, with a rectangle that moves to the right."""
    chance = np.random.default_rng(0)
    frames.mkdir(parents=True)
    masks.mkdir(parents=True)
    for t in range(count):
        mask = np.zeros((64, 80), np.uint8)
        mask[10:50, 10 + 3 * t : 40 + 3 * t] = 1
        photo = chance.integers(0, 256, (64, 80, 3), dtype=np.uint8) // 2 + 90 * mask[..., None]
        Image.fromarray(photo).save(frames / f"{t * step:05d}.jpg")
        Image.fromarray(mask).save(masks / f"{t * step:05d}.png")


@pytest.fixture
def data(files: Path) -> StudyData:
    return small_data(files / "stills", [(files / "davis", "2017/train")], (files / "davis", "2017/val"))


def tiny_scale(steps: int = 2, **changes: Any) -> Scale:
    """One stage on clips of 65 pixels."""
    training = TrainConfig(
        steps=steps, clips=CLIPS, precision="32-true", log_every=1, save_every=1, workers=0
    )
    return replace(Scale("tiny", "two steps", (Stage("distil", training),), seeds=2, max_size=64), **changes)


@pytest.fixture
def make_conditions(files: Path, data: StudyData) -> Callable[..., Conditions]:
    """A conditions with a teacher of three layers; ``changes`` are of the conditions."""

    def make(**changes: Any) -> Conditions:
        teacher = Tracker(
            lively_model(PRESETS["deaot-l"], seed=1),
            precision="fp32",
            name="deaot-l",
            weights_sha256="a" * 64,
        )
        start = Start.of(files / "start.safetensors", None)
        conditions = Conditions(
            tiny_scale(), teacher, start, data.stills, data.videos, data.scored_on, data.named, device="cpu"
        )
        return replace(conditions, **changes)

    return make
