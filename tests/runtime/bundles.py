"""A tiny exported tracker in several formats, and the tracker that it came from."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from models.deformable_reference import stir
from networks import HEIGHT, WIDTH, lively_model, small_config
from tiny_encoder import TINY

from limpet.core.calibration import Calibration
from limpet.export.bundle import ExportPlan, describe
from limpet.export.program import Programs, make_programs
from limpet.export.writer import ExportOptions, load_writer
from limpet.models.deformable import DeformableConfig
from limpet.models.fixed_size import FixedConfig
from limpet.runtime.manifest import Manifest
from limpet.tracking.memory_policies import Bounded, MemoryPolicy
from limpet.tracking.tracker import Tracker

SIZE = (HEIGHT - 5, WIDTH - 13)
"""(H, W) of the frames; what the network sees is another size."""
OBJECTS, REFERENCES, RING, GAP = 3, 2, 2, 2


def make_tracker(
    policy: type[MemoryPolicy] = Bounded, deformable: bool = False, encoder: str = TINY
) -> Tracker:
    """The tracker that is exported, in float32; ``deformable``: it reads its memory at places that it learns."""
    config = small_config(gap=GAP, encoder=encoder)
    if deformable:
        config = replace(config, propagation=replace(config.propagation, deformable=DeformableConfig()))
    model = lively_model(config)
    stir(model)
    return Tracker(
        model,
        precision="fp32",
        memory=policy(gap=GAP, max_frames=RING),
        calibration=Calibration(0.9, -0.1),
        name="deaot-t",
        weights_sha256="0" * 64,
    )


def make_bundle(folder: Path, backend: str, tracker: Tracker, programs: Programs) -> Path:
    """Write a bundle as ``limpet export`` does, of a model that is in no table."""
    folder.mkdir()
    plan = ExportPlan("deaot-t", backend, SIZE)
    written = load_writer(backend)(programs, folder, ExportOptions())
    describe(plan, tracker, programs, written, folder).write(folder)
    return folder


def tiny_programs(tracker: Tracker) -> Programs:
    """Both graphs for frames of SIZE."""
    network = tracker.sizes.network_size(*SIZE)
    config = FixedConfig(
        SIZE, network, OBJECTS, REFERENCES, RING, GAP, tracker.memory.name, tracker.calibration
    )
    return make_programs(tracker.model, config)


def for_openvino(onnx: Path, folder: Path) -> Path:
    """OpenVINO reads ONNX too, so that nothing has to be converted."""
    shutil.copytree(onnx, folder)
    replace(Manifest.read(onnx), backend="openvino").write(folder)
    return folder


def noise(count: int, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """Frames uint8 (H, W, 3) of noise that moves to the right."""
    still = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    return [np.roll(still, 2 * t, axis=1) for t in range(count)]


def boxes(*ids: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """uint8 (H, W): the ids as boxes side by side."""
    mask = np.zeros(size, np.uint8)
    wide = size[1] // (len(ids) + 1)
    for place, number in enumerate(ids):
        mask[10:40, place * wide + 3 : (place + 1) * wide] = number
    return mask
