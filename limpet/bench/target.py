"""What is measured: a tracker in one of the engines, with whatever is needed to time its stages and count its work.

This module needs no torch: while an exported tracker is measured, torch is not imported, since its memory would
count as the engine's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from limpet.bench.config import BenchConfig
from limpet.bench.stages import StageTimer
from limpet.core.tracker_protocol import AnyTracker
from limpet.runtime.exported_tracker import load_exported
from limpet.runtime.manifest import Manifest


@dataclass(frozen=True)
class Work:
    """How much one step computes and moves, counted operation by operation.

    A floating-point operation is one multiplication or one addition. Those of matrix products and convolutions are
    counted; what is left out (norms, activations, softmax, bilinear sampling) is about a hundredth of them.

    Bytes moved: every operation of torch reads its inputs once and writes its result once; views move nothing, and
    indices into a table count as the whole table. An engine that fuses operations moves less. What is in a
    processor's caches does not come from memory, so that a stage can be faster than memory allows.

    Attributes:
        stages: by stage, floating-point operations and bytes moved.
        moved_is_known: False for an engine that fuses operations: the bytes are then unknown.
    """

    stages: Mapping[str, tuple[float, float]]
    moved_is_known: bool = True


@dataclass(frozen=True)
class BenchTarget:
    """A tracker that is ready to start.

    Attributes:
        tracker: anything that tracks objects through frames.
        engine: its name and version.
        weights: sha256 of the file, or "random". weights_mb: their size in 10^6 bytes.
        device: what computes: "cpu", or the name of a GPU.
        wait: returns when a GPU has finished its work.
        timed: a context that gives a tracker whose steps charge their stages to a timer; results are the same.
        step_stage: the stage that is charged with what no other stage takes of a step.
        count: the work of one step, from a frame and the state before it; None where it cannot be counted.
    """

    tracker: AnyTracker[Any]
    engine: str
    weights: str
    weights_mb: float
    device: str
    wait: Callable[[], None]
    timed: Callable[[StageTimer], AbstractContextManager[AnyTracker[Any]]]
    step_stage: str
    count: Callable[[Any, Any], Work | None]


def make_target(config: BenchConfig) -> BenchTarget:
    """Load or make what ``config`` asks for; the number of threads is set for the whole process.

    Raises:
        ModelError, WeightsError, MissingExtraError: what is asked for is not here, or does not fit together.
    """
    cv2.setNumThreads(config.threads)
    if config.bundle is not None:
        return exported_target(config)
    from limpet.bench.torch_target import torch_target

    return torch_target(config)


def exported_target(config: BenchConfig) -> BenchTarget:
    """An exported tracker; its step is one stage, since an engine does not report its parts.

    Raises:
        WeightsError, MissingExtraError, ModelError: see ``load_exported``.
        VideoError, MaskError: the bundle was made for another frame size, or for fewer objects.
    """
    folder = config.bundle
    assert folder is not None  # BenchConfig has checked it
    tracker = load_exported(folder, runtime=config.engine, precision=config.precision, threads=config.threads)
    tracker.check_video(config.size, range(1, config.objects + 1))
    manifest = tracker.manifest
    network_size = tracker.network_size(config.size)
    return BenchTarget(
        tracker,
        tracker.engine.runtime,
        manifest.weights_sha256 or "unknown",
        _file_mb(folder, manifest),
        "cpu",
        wait=lambda: None,
        timed=lambda _: nullcontext(tracker),
        step_stage="step",
        count=lambda frame, state: _count(manifest, config.size, network_size),
    )


def _file_mb(folder: Path, manifest: Manifest) -> float:
    return sum((folder / name).stat().st_size for name in manifest.files) / 1e6


def _count(manifest: Manifest, frame_size: tuple[int, int], network_size: tuple[int, int]) -> Work | None:
    """The work of the exported graph, with all its slots and memory frames; None where torch is not installed."""
    try:
        from limpet.bench.flops import count_graph
    except ImportError:
        return None
    return count_graph(manifest, frame_size, network_size)
