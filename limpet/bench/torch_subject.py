"""A tracker of torch as a subject of measurement: as it is, or with its model compiled."""

from __future__ import annotations

import os
import shutil
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from limpet.bench.counting import counting, nbytes
from limpet.bench.settings import COMPILED, BenchSettings
from limpet.bench.stages import Stages
from limpet.bench.subject import Subject
from limpet.bench.watch import watched
from limpet.bench.work import Work
from limpet.errors import ModelError
from limpet.models import build_model
from limpet.models.base import Model
from limpet.registry import find
from limpet.state import TrackerState
from limpet.tracking.load import choose_device, load
from limpet.tracking.tracker import Tracker
from limpet.weights.store import bundled_weights

RANDOM = "random"
_COMPILERS = ("g++", "clang++", "c++")
_METHODS = ("encode", "propagate", "decode", "identify", "remember")


def torch_subject(settings: BenchSettings) -> Subject:
    """Raises ModelError, WeightsError as of ``limpet.load``."""
    torch.set_num_threads(settings.threads)
    tracker, weights = make_tracker(settings)
    compiled = settings.engine == COMPILED
    if compiled:
        _compile(tracker.model)
    on_gpu = tracker.device.type == "cuda"
    return Subject(
        tracker,
        f"{settings.engine} {torch.__version__}",
        weights,
        sum(map(nbytes, (*tracker.model.parameters(), *tracker.model.buffers()))) / 1e6,
        torch.cuda.get_device_name(tracker.device) if on_gpu else "cpu",
        partial(torch.cuda.synchronize, tracker.device) if on_gpu else lambda: None,
        partial(watched, tracker, inside=not compiled),
        "rest",
        partial(count_step, tracker, inside=not compiled),
    )


def make_tracker(settings: BenchSettings) -> tuple[Tracker, str]:
    """A tracker with the weights that are asked for, those that ship, or random ones; and which they are."""
    device = choose_device(settings.device)
    precision: Any = settings.precision
    if settings.weights is not None or bundled_weights(settings.model) is not None:
        tracker = load(
            settings.model,
            weights=settings.weights,
            device=str(device),
            max_size=settings.max_size,
            enlarge=1.0,  # --size is what is timed, of models and bundles alike
            precision=precision,
        )
        return tracker, tracker.weights_sha256
    torch.manual_seed(0)
    model = build_model(find(settings.model).config())
    return Tracker(
        model, device, max_size=settings.max_size, precision=precision, name=settings.model
    ), RANDOM


def count_step(tracker: Tracker, frame: NDArray[np.uint8], state: TrackerState, inside: bool = True) -> Work:
    """The work of one step, by stage; ``inside`` as of ``watched``."""
    with torch.compiler.set_stance("force_eager"), counting() as count:
        stages = Stages(count.read)
        with watched(tracker, stages, inside), stages.stage("rest"):
            tracker.step(frame, state)
        found = stages.take()
    return Work({name: (flops, moved) for name, (flops, moved) in found.items()})


def _compile(model: Model) -> None:
    """Each of the model's functions by itself; they are compiled when they first run.

    Raises:
        ModelError: there is no C++ compiler.
    """
    named = os.environ.get("CXX")
    if not any(shutil.which(name) for name in ([named] if named else _COMPILERS)):
        raise ModelError(
            f"torch-compiled needs a C++ compiler ({', '.join(_COMPILERS)}, or what CXX names), and none is here; "
            f"install one, or measure the engine torch"
        )
    for name in _METHODS:
        setattr(model, name, torch.compile(getattr(model, name)))
