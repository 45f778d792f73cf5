"""From a frame as the user has it to what the network sees: its size and its resized pixels. Needs no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import ModelError, VideoError

STRIDE = 16
LARGEST = 4.0  # times that a frame may be enlarged
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, RGB, for values in 0..1
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class SizeRule:
    """How large the network's image may be.

    max_short, max_long: limits on the shorter and the longer side in pixels; None sets none.
    align_corners: sizes are 16k + 1 instead of 16k.
    scale: multiplies the sides after the limits (for testing at several scales).
    enlarge: frames below ``max_short`` are made larger by this factor at most, and not beyond it.

    Raises:
        ModelError: ``enlarge`` is below 1, or very large.
    """

    max_short: int | None = 480
    max_long: int | None = 1040
    align_corners: bool = True
    scale: float = 1.0
    enlarge: float = 1.0

    def __post_init__(self) -> None:
        if not 1.0 <= self.enlarge <= LARGEST:
            raise ModelError(
                f"frames are to be enlarged {self.enlarge} times; use 1 (as they are) to {LARGEST:g}"
            )

    def network_size(self, height: int, width: int) -> tuple[int, int]:
        """Size in pixels of the network's image for a frame of this size; at least one cell each way.

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
