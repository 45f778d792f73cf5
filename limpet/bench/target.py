"""What is measured: a tracker in one of the engines, and how its stages are told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from limpet.bench.config import BenchConfig
from limpet.bench.stages import Stages
from limpet.core.tracker_protocol import AnyTracker
from limpet.runtime.exported_tracker import load_exported
from limpet.runtime.manifest import Manifest


@dataclass(frozen=True)
class Subject:
    """A tracker that is ready to start.

    tracker: anything that follows objects through frames.
    engine: its name and version. weights: sha256 of the file, or "random". weights_mb: 10^6 bytes of them.
    device: the processor that computes, "cpu" or the name of a GPU.
    wait: lets a GPU come to its end. watched: a context in which the tracker tells its stages.
    step_stage: the stage that a step's time goes to where no other takes it.
    count: the work of one step from a frame and the state before it; None where it cannot be counted.
    """

    tracker: AnyTracker[Any]
    engine: str
    weights: str
    weights_mb: float
    device: str
    wait: Callable[[], None]
    watched: Callable[[Stages], AbstractContextManager[None]]
    step_stage: str
    count: Callable[[Any, Any], Work | None]


def make_target(settings: BenchConfig) -> Subject:
    """Load or make what ``settings`` say; threads are set for the whole process.

    Raises:
        ModelError, WeightsError, MissingExtraError: what is asked for is not here, or does not fit together.
    """
    cv2.setNumThreads(settings.threads)
    if settings.bundle is not None:
        return exported_target(settings)
    from limpet.bench.torch_target import torch_target

    return torch_target(settings)


@dataclass(frozen=True)
class Work:
    """Of one step: by stage, floating-point operations and bytes moved.

    moved_is_known: False where an engine fuses operations as it likes, so that nothing is said of bytes.
    """

    stages: Mapping[str, tuple[float, float]]
    moved_is_known: bool = True


def exported_target(settings: BenchConfig) -> Subject:
    """A step is one stage: an engine does not tell its parts.

    Raises:
        WeightsError, MissingExtraError, ModelError: as of ``load_exported``.
        VideoError, MaskError: the bundle was made for another size, or for fewer objects.
    """
    folder = settings.bundle
    assert folder is not None  # as the settings checked
    tracker = load_exported(
        folder, runtime=settings.engine, precision=settings.precision, threads=settings.threads
    )
    tracker.check_video(settings.size, range(1, settings.objects + 1))
    manifest = tracker.manifest
    network_size = tracker.network_size(settings.size)
    return Subject(
        tracker,
        tracker.engine.runtime,
        manifest.weights_sha256 or "unknown",
        _file_mb(folder, manifest),
        "cpu",
        lambda: None,
        _untold,
        "step",
        lambda frame, state: _count(manifest, settings.size, network_size),
    )


def _untold(stages: Stages) -> AbstractContextManager[None]:
    return nullcontext()


def _file_mb(folder: Path, manifest: Manifest) -> float:
    return sum((folder / name).stat().st_size for name in manifest.files) / 1e6


def _count(manifest: Manifest, frame_size: tuple[int, int], network_size: tuple[int, int]) -> Work | None:
    """Of the graph that was exported, with all its slots and places; None where torch is not installed."""
    try:
        from limpet.bench.flops import count_graph
    except ImportError:
        return None
    return count_graph(manifest, frame_size, network_size)
