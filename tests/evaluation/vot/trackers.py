"""Trackers without a network for VOT's toolkit: ``python trackers.py KIND`` is a command of trackers.ini.

still: the first masks for ever. vanishing: nothing from the 12th frame on. drifting: they move by 2 pixels a frame.
slow: by 1, and a frame takes a tenth of a second.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from limpet.evaluation.vot.serve_tracker import serve
from limpet.evaluation.vot.trax_connection import toolkit_connection

Ids = NDArray[np.uint8]


@dataclass(frozen=True)
class Frozen:
    """The state of ``Fixed``."""

    mask: Ids
    frame_index: int = 0
    confidence: Mapping[int, float] = field(default_factory=dict)

    @property
    def object_ids(self) -> tuple[int, ...]:
        return tuple(int(i) for i in np.unique(self.mask) if i)


class Fixed:
    """Repeats the first mask, moved by ``shift`` pixels a frame; from the frame ``gone`` on it answers nothing."""

    name = "fixed"

    def __init__(self, gone: int | None = None, seconds: float = 0.0, shift: int = 0) -> None:
        self.gone, self.seconds, self.shift = gone, seconds, shift

    def start(self, frame: NDArray[np.uint8], mask: Ids) -> Frozen:
        assert frame.shape == (*mask.shape, 3) and frame.any()
        return Frozen(mask, 0, {int(i): 1.0 for i in np.unique(mask) if i})

    def step(self, frame: NDArray[np.uint8], state: Frozen) -> tuple[Ids, Frozen]:
        time.sleep(self.seconds)
        index = state.frame_index + 1
        moved = np.roll(state.mask, self.shift, axis=1)
        kept = dict.fromkeys(state.confidence, 1.0 / (1 + index))
        after = Frozen(moved, index, kept)
        return (np.zeros_like(moved) if self.gone is not None and index >= self.gone else moved), after


KINDS = {
    "still": Fixed(),
    "vanishing": Fixed(gone=12),
    "drifting": Fixed(shift=2),
    "slow": Fixed(seconds=0.1, shift=1),
}

if __name__ == "__main__":
    serve(KINDS[sys.argv[1]], toolkit_connection(sys.stdin), sys.argv[1])  # type: ignore[arg-type]
