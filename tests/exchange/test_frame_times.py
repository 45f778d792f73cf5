"""Times of frames: those that are known, and a constant rate for the others."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from limpet.exchange.frame_times import FrameTimes
from limpet.exchange.mask_sequence import MaskFrame

from .sequences import clip_of


def test_gaps_are_filled() -> None:
    empty = np.zeros((2, 2), np.uint8)
    times = FrameTimes(clip_of({0: empty}, {}, 5, frame_rate=Fraction(10)))
    times.add(MaskFrame(1, 0.11, empty))
    times.add(MaskFrame(3, 0.35, empty))
    assert [round(time, 3) for time in times.finish()] == [0.0, 0.11, 0.2, 0.35, 0.4]
