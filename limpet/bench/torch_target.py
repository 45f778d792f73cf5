"""A tracker of torch as a subject of measurement: as it is, or with its model compiled."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray

from limpet.bench.config import COMPILED, BenchConfig
from limpet.bench.flops import counting, nbytes
from limpet.bench.stages import Stages
from limpet.bench.target import Subject, Work
from limpet.core.errors import ModelError
from limpet.models import build_model
from limpet.models.base import Model
from limpet.registry import find
from limpet.state import TrackerState
from limpet.tracking import tracker as tracking
from limpet.tracking.load import choose_device, load
from limpet.tracking.tracker import Tracker
from limpet.weights.zoo import bundled_weights

RANDOM = "random"
_COMPILERS = ("g++", "clang++", "c++")
_METHODS = ("encode", "propagate", "decode", "identify", "remember")


def torch_target(settings: BenchConfig) -> Subject:
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


def make_tracker(settings: BenchConfig) -> tuple[Tracker, str]:
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


_OF_THE_TRACKER = {
    "prepare_image": "prepare",
    "label_map": "labels",
    "soft_ious": "confidences",
    "slot_planes": "id bank",
}
_OF_THE_MODEL = {
    "encode": "encoder",
    "decode": "decoder",
    "identify": "id bank",
    "remember": "remember",
}
_OF_A_LAYER = {
    "long_term": "long-term",
    "short_term": "short-term",
    "self_propagation": "self",
    "self_attention": "self",
    "feed_forward": "feed-forward",
}


@contextmanager
def watched(tracker: Tracker, stages: Stages, inside: bool = True) -> Iterator[None]:
    """While in ``with``, steps of ``tracker`` tell their stages.

    "projections" is what of the propagation lies in no attention: norms, linear maps before them, adding up.

    Args:
        inside: also the parts of the propagation; where it is compiled as a whole it is one stage, "propagation".
    """
    with ExitStack() as stack:
        for owner, name, stage in _places(tracker.model, inside):
            function = getattr(owner, name)
            stack.enter_context(patch.object(owner, name, stages.watched(function, stage)))
        yield


def _places(model: Model, inside: bool) -> Iterator[tuple[Any, str, str]]:
    yield from ((tracking, name, stage) for name, stage in _OF_THE_TRACKER.items())
    yield from ((model, name, stage) for name, stage in _OF_THE_MODEL.items())
    yield model, "propagate", "projections" if inside else "propagation"
    for layer in getattr(model, "layers", ()) if inside else ():
        for name, stage in _OF_A_LAYER.items():
            if hasattr(layer, name):
                yield getattr(layer, name), "forward", stage
