"""One pass of the tracker from a key frame, in either direction, which respects the key frames on its way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np

from limpet.core.errors import ProjectError, VideoError
from limpet.core.tracker_protocol import AnyTracker, Image, Mask
from limpet.project.frame_access import FrameAccess
from limpet.project.key_frames import Keys
from limpet.project.merge_passes import Predicted, with_given

MAX_REFERENCES = 3
"""Key frames in the memory of a pass besides the one it begins at; more make every step slower."""


class Pass:
    """Tracks objects away from a key frame.

    Args:
        mask: returns the stored mask of a frame, uint8 (H, W); all background if there is none.
    """

    def __init__(
        self, tracker: AnyTracker[Any], frames: FrameAccess, keys: Keys, mask: Callable[[int], Mask]
    ) -> None:
        self._tracker, self._frames, self._keys, self._mask = tracker, frames, keys, mask

    def run(
        self, start: int, stop: int | None, objects: Collection[int], beyond: Sequence[int] = ()
    ) -> Iterator[Predicted]:
        """Every frame after ``start`` up to ``stop`` (inclusive; None: to the end), backwards if ``stop`` is earlier.

        All objects that ``start`` shows are tracked, because they compete for pixels. ``objects`` are those whose
        masks are wanted; if ``start`` does not show them, they are taken from other key frames.

        Args:
            beyond: key frames that have to be in memory, on either side.

        Raises:
            ProjectError: there is no object to track. VideoError: ``start`` cannot be decoded.
        """
        if stop == start:
            return
        onward = 1 if stop is None or stop > start else -1
        labels = self._mask(start)
        state = self._begin(start, labels, self._references(start, onward, objects, labels, beyond))
        for frame in self._frames.walk(start + onward, stop):
            if frame.image is None:
                yield Predicted(frame.index, labels, {}, decoded=False)
                continue
            before = state
            labels, state = self._tracker.step(frame.image, state)
            confidence = dict(state.confidence)
            given = self._keys.at(frame.index)
            if given:
                labels = with_given(labels, self._mask(frame.index), given)
                state = self._refer(frame.image, labels, given, state, before)
            yield Predicted(frame.index, labels, confidence)

    def _references(
        self, start: int, onward: int, objects: Collection[int], shown: Mask, beyond: Sequence[int]
    ) -> list[int]:
        """Key frames to have in memory besides ``start``, the farthest first: the nearest behind it, and one for each
        object that ``start`` does not show, because it may return."""
        keys = sorted({frame for i in objects for frame in self._keys.of(i)}, key=lambda f: abs(f - start))
        behind = [frame for frame in keys if (start - frame) * onward > 0]
        found = list(dict.fromkeys([*beyond, *behind]))[:MAX_REFERENCES]
        for object_id in sorted(set(objects) - set(np.unique(shown).tolist())):
            showing = (f for f in self._keys.of(object_id) if (self._mask(f) == object_id).any())
            found += sorted(showing, key=lambda f: abs(f - start))[:1]
        return sorted(set(found) - {start}, key=lambda f: -abs(f - start))

    def _begin(self, start: int, mask: Mask, references: Sequence[int]) -> Any:
        """A state after ``start`` with the references in its memory too."""
        frames = self._frames.at([start, *references])
        if frames[start].image is None:
            raise VideoError(
                f"frame {start} cannot be decoded, so that nothing can be propagated from it; use another key frame"
            )
        state: Any = None
        for index in [*references, start]:
            image, known = frames[index].image, mask if index == start else self._mask(index)
            if image is None or (state is None and not known.any()):
                continue
            if state is None:
                state = self._tracker.start(image, known)
                continue
            _, after = self._tracker.step(image, state)
            given = tuple(int(i) for i in np.unique(known) if i)
            state = self._refer(image, known, given, after, state)
        if state is None:
            raise ProjectError(
                f"frame {start} shows no object, so that there is nothing to propagate; add or correct one there"
            )
        return state

    def _refer(self, image: Image, labels: Mask, given: Collection[int], state: Any, before: Any) -> Any:
        """The state after a step, with ``labels`` as the masks of the frame.

        In ``add``, 0 means "keep the prediction", so that what a person erased has to be erased in the state first.
        """
        named = np.where(np.isin(labels, list(given)), labels, 0).astype(np.uint8)
        if not named.any():  # the given objects are not visible here; the others are the frame's masks
            named = labels
        if not named.any():
            return before  # no object is visible, so that there is nothing to add
        return self._tracker.add(image, named, state.with_mask(labels))
