"""What is asked of a model that makes a mask of clicks; nothing here needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import MaskError
from limpet.core.tracker_protocol import Image, Mask

_REACH = 0.02
"""How far from a click a change may be to count as touched by it, in units of the image's shorter side."""


@dataclass(frozen=True)
class Click:
    """A click at (x, y) in pixels of the image. positive: it lies on the object; otherwise it does not."""

    x: float
    y: float
    positive: bool = True


class Segmenter(Protocol):
    """A model for clicks.

    Attributes:
        name: of the model. note: what it can do and cannot, in a sentence for people.
    """

    @property
    def name(self) -> str: ...
    @property
    def note(self) -> str: ...

    def segment(self, image: Image, clicks: Sequence[Click], mask: Mask | None = None) -> Mask:
        """The mask of the object that was clicked.

        Args:
            image: uint8 (H, W, 3) RGB. One image is asked for several times in a row, with more clicks each time.
            clicks: at least one, in the order in which they were made.
            mask: uint8 (H, W), the object's mask before the first of these clicks, 0 elsewhere; None if there was none.
                Of a mask that is given, only the parts that the clicks touch change.

        Returns:
            uint8 (H, W): 1 on the object, 0 elsewhere.
        """


def check_clicks(image: Image, clicks: Sequence[Click]) -> None:
    """Raises MaskError: there is no click, or one lies outside of the image."""
    height, width = image.shape[:2]
    if not clicks:
        raise MaskError("there is no click; expected at least one on the object")
    for each in clicks:
        if not (0 <= each.x < width and 0 <= each.y < height):
            raise MaskError(
                f"the click at {each.x:g},{each.y:g} lies outside of the image of {width}x{height} pixels"
            )


def touched_only(
    before: NDArray[np.float32], after: NDArray[np.float32], click: Click
) -> NDArray[np.float32]:
    """``after`` where the change touches the click, ``before`` elsewhere (FocalClick's progressive merge).

    Args:
        before, after: (H, W) in 0..1; above one half is on the object.
        click: what is at most a fiftieth of the image away from it counts as touched.
    """
    changed = ((before > 0.5) != (after > 0.5)).astype(np.uint8)
    count, pieces = cv2.connectedComponents(changed, connectivity=8)
    disk = np.zeros(changed.shape, np.uint8)
    cv2.circle(
        disk, (int(click.x), int(click.y)), max(2, round(_REACH * min(changed.shape))), 1, thickness=-1
    )
    touched = np.bincount(pieces[disk > 0], minlength=count) > 0
    touched[0] = False
    return np.where(touched[pieces], after, before)
