"""Trackers that remember another number of frames than their model was trained with (MobileVOS, fig. 4)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from limpet.memory import Memory
from limpet.models.base import Features, Model, Pending
from limpet.studies.arms import Queue
from limpet.tracking.memory_policies import OFFICIAL_GAP, MemoryPolicy, Official
from limpet.tracking.tracker import Tracker


def tracker_with_queue(model: Model, queue: Queue | None, device: torch.device, **options: Any) -> Tracker:
    """A tracker whose model reads the frames of ``queue``; None leaves it as it was trained.

    Args:
        model: it is changed, so that it reads one frame where the queue has one.
        options: further arguments of ``Tracker``.
    """
    if queue in ("first", "previous"):
        model.__class__ = _reading_one(type(model), queue)
    return Tracker(model, device, memory=_policy(queue), **options)


def _policy(queue: Queue | None) -> MemoryPolicy | str | None:
    """Models with a short-term memory read the previous frame beside those of the policy."""
    if queue is None:
        return None
    return Official(gap=OFFICIAL_GAP) if queue == "unbounded" else "first"


def _reading_one(kind: type[Model], queue: Queue) -> type[Model]:
    """The same model, which is shown one frame in the place of all."""

    class ReadsOneFrame(kind):  # type: ignore[misc, valid-type]
        def propagate(
            self,
            features: Features,
            long_term: Memory,
            short_term: Memory,
            memory_mask: Tensor | None = None,
        ) -> tuple[Tensor, Pending]:
            one = long_term if queue == "first" else short_term
            found: tuple[Tensor, Pending] = super().propagate(features, one, one, memory_mask)
            return found

    return ReadsOneFrame
