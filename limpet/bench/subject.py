"""What is measured: a tracker in one of the engines, and how its stages are told apart."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import cv2

from limpet.bench.settings import BenchSettings
from limpet.bench.stages import Stages
from limpet.bench.work import Work
from limpet.tracking.interface import AnyTracker


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


def make_subject(settings: BenchSettings) -> Subject:
    """Load or make what ``settings`` say; threads are set for the whole process.

    Raises:
        ModelError, WeightsError, MissingExtraError: what is asked for is not here, or does not fit together.
    """
    cv2.setNumThreads(settings.threads)
    if settings.bundle is not None:
        from limpet.bench.exported_subject import exported_subject

        return exported_subject(settings)
    from limpet.bench.torch_subject import torch_subject

    return torch_subject(settings)
