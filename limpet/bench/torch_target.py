"""A torch tracker to be measured, as it is or with its model compiled, and a copy of it whose stages are timed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from limpet.bench.config import COMPILED, BenchConfig
from limpet.bench.flops import counting, nbytes
from limpet.bench.stages import StageTimer
from limpet.bench.target import BenchTarget, Work
from limpet.core.errors import ModelError
from limpet.models import build_model
from limpet.models.base import Features, Model
from limpet.registry import find
from limpet.state import TrackerState
from limpet.tracking.load import choose_device, load
from limpet.tracking.tracker import Tracker
from limpet.weights.zoo import bundled_weights

RANDOM = "random"
_COMPILERS = ("g++", "clang++", "c++")
_COMPILED_METHODS = ("encode", "propagate", "decode", "identify", "remember")
_STAGES_OF_A_MODEL = {
    "encode": "encoder",
    "decode": "decoder",
    "identify": "id bank",
    "remember": "remember",
}
_STAGES_OF_A_LAYER = {
    "long_term": "long-term",
    "short_term": "short-term",
    "self_propagation": "self",
    "self_attention": "self",
    "feed_forward": "feed-forward",
}


def torch_target(config: BenchConfig) -> BenchTarget:
    """Load or make the tracker. Raises ModelError or WeightsError, see ``limpet.load``."""
    torch.set_num_threads(config.threads)
    tracker, weights = make_tracker(config)
    compiled = config.engine == COMPILED
    if compiled:
        _compile(tracker.model)
    on_gpu = tracker.device.type == "cuda"
    return BenchTarget(
        tracker,
        f"{config.engine} {torch.__version__}",
        weights,
        sum(map(nbytes, (*tracker.model.parameters(), *tracker.model.buffers()))) / 1e6,
        torch.cuda.get_device_name(tracker.device) if on_gpu else "cpu",
        wait=partial(torch.cuda.synchronize, tracker.device) if on_gpu else lambda: None,
        timed=partial(timed, tracker, split_propagation=not compiled),
        step_stage="rest",
        count=partial(count_step, tracker, split_propagation=not compiled),
    )


def make_tracker(config: BenchConfig) -> tuple[Tracker, str]:
    """A tracker with the weights that are asked for, those that ship, or random ones; and the sha256 of them."""
    device = choose_device(config.device)
    precision: Any = config.precision
    if config.weights is not None or bundled_weights(config.model) is not None:
        tracker = load(
            config.model,
            weights=config.weights,
            device=str(device),
            max_size=config.max_size,
            enlarge=1.0,  # --size is what is timed, of models and bundles alike
            precision=precision,
        )
        return tracker, tracker.weights_sha256
    torch.manual_seed(0)
    model = build_model(find(config.model).config())
    return Tracker(model, device, max_size=config.max_size, precision=precision, name=config.model), RANDOM


def _compile(model: Model) -> None:
    """Compile each of the model's functions by itself; torch does so when they first run.

    Raises:
        ModelError: there is no C++ compiler.
    """
    named = os.environ.get("CXX")
    if not any(shutil.which(name) for name in ([named] if named else _COMPILERS)):
        raise ModelError(
            f"torch-compiled needs a C++ compiler ({', '.join(_COMPILERS)}, or what CXX names), and none is here; "
            f"install one, or measure the engine torch"
        )
    for name in _COMPILED_METHODS:
        setattr(model, name, torch.compile(getattr(model, name)))


@contextmanager
def timed(tracker: Tracker, timer: StageTimer, split_propagation: bool = True) -> Iterator[Tracker]:
    """A tracker that shares everything with ``tracker``, and charges the stages of its steps to ``timer``.

    Args:
        split_propagation: attentions are stages of their own, and "projections" is what remains of the propagation:
            norms, linear maps and sums. A propagation that is compiled as a whole is one stage, "propagation".
    """
    layers = getattr(tracker.model, "layers", ()) if split_propagation else ()
    hooks = [hook for layer in layers for hook in _hooks(layer, timer)]
    try:
        yield TimedTracker(tracker, timer, "projections" if split_propagation else "propagation")
    finally:
        for hook in hooks:
            hook.remove()


def _hooks(layer: nn.Module, timer: StageTimer) -> Iterator[torch.utils.hooks.RemovableHandle]:
    """Time the parts of a layer that are stages, each while its ``forward`` runs."""
    for name, stage in _STAGES_OF_A_LAYER.items():
        part = getattr(layer, name, None)
        if isinstance(part, nn.Module):
            yield part.register_forward_pre_hook(lambda *_, stage=stage: timer.begin(stage))
            yield part.register_forward_hook(lambda *_: timer.end(), always_call=True)


class TimedModel:
    """A model whose main functions are stages; everything else is passed on to the model itself."""

    def __init__(self, model: Model, timer: StageTimer, propagation: str) -> None:
        self._model = model
        for name, stage in {**_STAGES_OF_A_MODEL, "propagate": propagation}.items():
            setattr(self, name, timer.timed(getattr(model, name), stage))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class TimedTracker(Tracker):
    """A tracker like another, whose own work around the model is timed as well.

    Args:
        propagation: the stage that is charged with the propagation, but for the stages inside it.
    """

    def __init__(self, tracker: Tracker, timer: StageTimer, propagation: str) -> None:
        vars(self).update(vars(tracker))
        self.model = cast(Model, TimedModel(tracker.model, timer, propagation))
        self._timer = timer

    def _encode(self, frame: NDArray[np.uint8], size: tuple[int, int]) -> Features:
        with self._timer.stage("prepare"):
            return super()._encode(frame, size)

    def _label_map(
        self, logits: Sequence[Tensor], ids: Sequence[Sequence[int]], size: tuple[int, int]
    ) -> Tensor:
        with self._timer.stage("labels"):
            return super()._label_map(logits, ids, size)

    def _identify(self, labels: Tensor, ids: Sequence[int], size: tuple[int, int]) -> Tensor:
        with self._timer.stage("id bank"):
            return super()._identify(labels, ids, size)

    def _confidences(self, logits: Sequence[Tensor], ids: Sequence[Sequence[int]]) -> dict[int, float]:
        with self._timer.stage("confidences"):
            return super()._confidences(logits, ids)


def count_step(
    tracker: Tracker, frame: NDArray[np.uint8], state: TrackerState, split_propagation: bool = True
) -> Work:
    """The work of one step by stage; for ``split_propagation`` see ``timed``."""
    with torch.compiler.set_stance("force_eager"), counting() as count:
        timer = StageTimer(count.read)
        with timed(tracker, timer, split_propagation) as counted, timer.stage("rest"):
            counted.step(frame, state)
        found = timer.take()
    return Work({name: (flops, moved) for name, (flops, moved) in found.items()})
