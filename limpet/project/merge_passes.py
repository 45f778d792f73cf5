"""Merges masks: those of a propagation with those already in the frame, and those of two passes over one frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from limpet.core.tracker_protocol import Mask


@dataclass(frozen=True, eq=False)
class Predicted:
    """The result of one pass for one frame.

    labels: uint8 (H, W) of ids. confidence: id -> 0..1. decoded: False if the frame had no picture.
    """

    frame: int
    labels: Mask
    confidence: Mapping[int, float]
    decoded: bool = True

    def confidence_of(self, object_id: int) -> float:
        """Confidence of an object, 0..1; if the tracker gives none, 1 for objects that are visible."""
        if not self.decoded:
            return 0.0
        known = self.confidence.get(object_id)
        return float(known) if known is not None else float((self.labels == object_id).any())


def compose(
    present: Mask, predicted: Sequence[tuple[int, Predicted]], protected: Collection[int], filler: Mask
) -> Mask:
    """The mask of a frame after some objects were propagated into it.

    Pixels of all other objects stay, except where a propagated object appears or disappears.

    Args:
        present: uint8 (H, W), the mask before.
        predicted: the propagated objects and the pass that each is taken from, the most confident last; it wins where
            two overlap.
        protected: ids whose pixels a person gave in this frame; nothing is painted over them.
        filler: labels (H, W) of a pass, for the pixels that a propagated object left.

    Returns:
        A new uint8 (H, W).
    """
    followed = [object_id for object_id, _ in predicted]
    left = np.isin(present, followed)
    # Only objects that are in the frame already may spread into the gap.
    others = np.setdiff1d(np.unique(present), [0, *followed, *protected])
    result = np.where(left, np.where(np.isin(filler, others), filler, 0), present).astype(np.uint8)
    free = ~np.isin(present, list(protected))
    for object_id, source in predicted:
        result[(source.labels == object_id) & free] = object_id
    return result


def with_given(labels: Mask, given_mask: Mask, given: Collection[int]) -> Mask:
    """``labels`` with the objects ``given`` exactly as in ``given_mask``; both uint8 (H, W)."""
    ids = list(given)
    cleared = np.where(np.isin(labels, ids), 0, labels)
    return np.where(np.isin(given_mask, ids), given_mask, cleared).astype(np.uint8)


def choose(
    forwards: Predicted, backwards: Predicted, left: Mapping[int, int | None], right: Mapping[int, int | None]
) -> tuple[list[tuple[int, Predicted]], dict[int, float]]:
    """Which of two passes each object is taken from between its key frames, the most confident object last.

    The weight of a pass is its confidence times its nearness, which is 1 at its own key frame and 0 at the other one.
    Next to a key frame the pass from there wins; in the middle, the more confident one.

    Args:
        left, right: object -> its nearest key frame on that side, None if there is none.

    Returns:
        The objects that have a key frame on one side or both, with their pass, and their confidence in it.
    """
    ranked: list[tuple[float, int, Predicted]] = []
    for object_id in left:
        a, b, frame = left[object_id], right[object_id], forwards.frame
        if a is None and b is None:
            continue
        nearness = float(b is None) if a is None or b is None else (b - frame) / (b - a)
        weights = (
            nearness * forwards.confidence_of(object_id),
            (1 - nearness) * backwards.confidence_of(object_id),
        )
        use_forwards = weights[0] > weights[1] or (weights[0] == weights[1] and nearness >= 0.5)
        ranked.append((max(weights), object_id, forwards if use_forwards else backwards))
    ranked.sort(key=lambda item: item[:2])
    return [(i, source) for _, i, source in ranked], {i: source.confidence_of(i) for _, i, source in ranked}
