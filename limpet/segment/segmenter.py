"""What is asked of a model that makes a mask of clicks; nothing here needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from limpet.core.tracker_protocol import Image, Mask


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
            mask: uint8 (H, W), the object's present mask, 0 elsewhere; None if there is none.

        Returns:
            uint8 (H, W): 1 on the object, 0 elsewhere.
        """
