"""The network's image as runtimes take it, by numpy and OpenCV alone; the numbers are those of ``prepare_image``."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.tracking.sizes import resize_frame


def normalised_image(
    frame: NDArray[np.uint8],
    size: tuple[int, int],
    mean: tuple[float, float, float],
    deviation: tuple[float, float, float],
) -> NDArray[np.float32]:
    """Frame (H, W, 3) RGB 0..255 -> (1, 3, h, w) float32 of the network's size.

    Args:
        mean, deviation: of RGB in 0..1.
    """
    image = np.empty((1, 3, *size), np.float32)
    pixels = resize_frame(frame, size)
    means, deviations = (np.array(three, np.float32) * np.float32(255) for three in (mean, deviation))
    for channel in range(3):
        plane = image[0, channel]
        cv2.extractChannel(pixels, channel, plane)
        plane -= means[channel]
        plane /= deviations[channel]
    return image
