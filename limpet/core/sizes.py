"""Network input: the size for a frame, the resized pixels, and the statistics of normalisation. Needs no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import ModelError, VideoError

STRIDE = 16
MAX_ENLARGE = 4.0
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, RGB, for values in 0..1
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class SizeRule:
    """The network input size for frames of any size.

    max_short, max_long: limits on the shorter and the longer side in pixels; None means no limit.
    align_corners: sizes are 16k + 1 instead of 16k.
    scale: multiplies the sides after the limits (for multi-scale testing).
    enlarge: frames whose shorter side is below ``max_short`` are enlarged up to it, but at most by this factor.

    Raises:
        ModelError: a limit is not a number of pixels, or ``enlarge`` is not within 1 and MAX_ENLARGE.
    """

    max_short: int | None = 480
    max_long: int | None = 1040
    align_corners: bool = True
    scale: float = 1.0
    enlarge: float = 1.0

    def __post_init__(self) -> None:
        for name, side in (("max_size", self.max_short), ("max_long", self.max_long)):
            if side is not None and (not isinstance(side, int | float) or side % 1 != 0 or side < STRIDE):
                raise ModelError(
                    f"{name} is {side!r}; expected a whole number of at least {STRIDE} pixels, or None for no limit"
                )
        if not isinstance(self.enlarge, int | float) or not 1.0 <= self.enlarge <= MAX_ENLARGE:
            raise ModelError(f"enlarge is {self.enlarge}; expected 1 (no enlargement) to {MAX_ENLARGE:g}")

    def network_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) in pixels of the network input for a frame; at least one cell in each direction.

        The steps and their rounding are those of the official test transform.
        """
        sides = (float(height), float(width))
        if self.max_short is not None:
            sides = _scaled(sides, min(self.max_short / min(sides), self.enlarge))
        if self.max_long is not None and max(sides) > self.max_long:
            sides = _scaled(sides, self.max_long / max(sides))
        high, wide = _scaled(sides, self.scale)
        return self._on_grid(int(high)), self._on_grid(int(wide))

    def _on_grid(self, side: int) -> int:
        if self.align_corners:
            return max(1, round((side - 1) / STRIDE)) * STRIDE + 1
        return max(1, round(side / STRIDE)) * STRIDE


def parse_size(text: str, alternative: str = "") -> tuple[int, int]:
    """``480x854`` -> (480, 854), the height and width of frames in pixels.

    Args:
        alternative: what the option may be instead, for the message.

    Raises:
        ModelError: anything else, or sides of fewer than STRIDE pixels.
    """
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if min(size) < STRIDE:
        raise ModelError(
            f"--size {text!r} is not understood; expected HEIGHTxWIDTH in pixels, such as 480x854{alternative}"
        )
    return size


def check_frame(frame: NDArray[np.uint8]) -> None:
    """Raises VideoError unless the frame is uint8 (H, W, 3)."""
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        came = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise VideoError(f"a frame is {came}; expected a numpy array uint8 (height, width, 3) in RGB order")


def resize_frame(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    """Frame (H, W, 3) 0..255 -> a copy (h, w, 3) float32 of the network's size, about 0..255; bicubic."""
    values: NDArray[Any] = np.array(frame, np.float32, order="C")
    if frame.shape[:2] != size:
        values = cv2.resize(values, size[::-1], interpolation=cv2.INTER_CUBIC)
    return values


def _scaled(sides: tuple[float, float], factor: float) -> tuple[float, float]:
    return sides[0] * factor, sides[1] * factor
