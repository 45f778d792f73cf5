"""Where the stages of ``Tracker.step`` lie in the code: puts a watch around each of them, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from limpet.bench.stages import Stages
from limpet.models.base import Model
from limpet.tracking import tracker as tracking
from limpet.tracking.tracker import Tracker

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
