"""High dynamic range (PQ and HLG, ITU-R BT.2100) as the ordinary pictures that networks and players know."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

PQ, HLG = 16, 18
"""Transfer characteristics of ITU-T H.273."""
HDR_NOTICE = (
    "the video has a high dynamic range (PQ or HLG); its brightness is mapped to that of ordinary video, for the "
    "network and for the overlay"
)
WHITE = 203.0
"""cd/m2 of white in graphics and of a lit face (ITU-R BT.2408); it becomes three quarters of the ordinary range."""
_TO_BT709 = np.array(  # ITU-R BT.2087, from BT.2020
    ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)), np.float32
)


def is_hdr(raw: VideoFrame) -> bool:
    """Whether a decoded frame is PQ or HLG."""
    return int(raw.color_trc) in (PQ, HLG)


def tone_mapped(raw: VideoFrame) -> NDArray[np.uint8]:
    """A PQ or HLG frame as uint8 (H, W, 3) of ordinary RGB."""
    # All 10 or 12 bits: eight would leave steps in dark parts.
    values: Any = raw.reformat(
        format="rgb48le", src_colorspace=_space(raw), dst_colorspace="ITU601"
    ).to_ndarray()
    return map_to_sdr(np.asarray(values, np.uint16), int(raw.color_trc))


def map_to_sdr(values: NDArray[np.uint16], transfer: int) -> NDArray[np.uint8]:
    """The values uint16 (H, W, 3) of PQ or HLG in BT.2020 -> uint8 RGB in BT.709 with sRGB's curve.

    Light is compressed by x / (1 + x / 3), 1 being WHITE: dark and middle tones stay, and highlights do not burn out.
    """
    light = _light(transfer)[values >> 4] @ _TO_BT709.T
    np.maximum(light, 0, out=light)
    light = light / (1 + light / 3)
    shown: NDArray[np.uint8] = _srgb()[(np.minimum(light, 1) * 4095).astype(np.uint16)]
    return shown


@cache
def _light(transfer: int) -> NDArray[np.float32]:
    """Linear light with WHITE = 1 of 4,096 signal values."""
    signal = np.linspace(0, 1, 4096)
    if transfer == PQ:
        power = signal ** (1 / 78.84375)
        nits = 10_000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (
            1 / 0.1593017578125
        )
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
        nits = 1000 * scene**1.2
    return (nits / WHITE).astype(np.float32)


@cache
def _srgb() -> NDArray[np.uint8]:
    """sRGB's value of 4,096 steps of light 0..1."""
    light = np.linspace(0, 1, 4096)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(255 * curve), np.uint8)


def _space(raw: VideoFrame) -> str:
    return "ITU709" if int(raw.colorspace) == 1 else "BT2020" if int(raw.colorspace) in (9, 10) else "ITU601"
