"""How a propagation's masks and those that are there become one; and two passes of the same frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from limpet.core.tracker_protocol import Mask


@dataclass(frozen=True, eq=False)
class Predicted:
    """What one pass says of one frame.

    labels: uint8 (H, W) of ids. confidence: id -> 0..1. decoded: False when the frame had no picture.
    """

    frame: int
    labels: Mask
    confidence: Mapping[int, float]
    decoded: bool = True

    def sure(self, object_id: int) -> float:
        """Confidence of an object; a tracker that gives none is taken to be sure of what it shows."""
        if not self.decoded:
            return 0.0
        known = self.confidence.get(object_id)
        return float(known) if known is not None else float((self.labels == object_id).any())


def compose(
    present: Mask, predicted: Sequence[tuple[int, Predicted]], protected: Collection[int], filler: Mask
) -> Mask:
    """The mask of a frame after some objects were followed into it.

    Pixels of all other objects stay, except where a followed object comes or goes.

    Args:
        present: uint8 (H, W), the mask that is there.
        predicted: the followed objects and the pass each is taken from, the surest last: it wins where two meet.
        protected: ids whose pixels were given by a person in this very frame; nothing is painted over them.
        filler: a pass's labels (H, W), for pixels that a followed object left.

    Returns:
        A new uint8 (H, W).
    """
    followed = [object_id for object_id, _ in predicted]
    left = np.isin(present, followed)
    # Only what is there already may spread into the gap; who was not asked for stays away.
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
    """Which of two passes each object is taken from between its key frames, the surest object last.

    The weight of a pass is its confidence times its nearness: 1 at its own key frame, 0 at the other one. So beside
    a key frame the pass from there wins, and in the middle the surer one.

    Args:
        left, right: object -> its nearest key frame on either side, None if there is none there.

    Returns:
        The objects that have a key frame on either side with their pass, and their confidence in it.
    """
    ranked: list[tuple[float, int, Predicted]] = []
    for object_id in left:
        a, b, frame = left[object_id], right[object_id], forwards.frame
        if a is None and b is None:
            continue
        nearness = float(b is None) if a is None or b is None else (b - frame) / (b - a)
        weights = (nearness * forwards.sure(object_id), (1 - nearness) * backwards.sure(object_id))
        use_forwards = weights[0] > weights[1] or (weights[0] == weights[1] and nearness >= 0.5)
        ranked.append((max(weights), object_id, forwards if use_forwards else backwards))
    ranked.sort(key=lambda item: item[:2])
    return [(i, source) for _, i, source in ranked], {i: source.sure(i) for _, i, source in ranked}
