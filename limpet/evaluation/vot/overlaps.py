"""Overlaps of answered and true regions, frame by frame, which all measures of VOT are made of.

Legend: T frames of a run; H W pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import DataError
from limpet.evaluation.vot.vot_files import Regions

Flags = NDArray[np.bool_]


class RunOverlaps(NamedTuple):
    """One run beside the truth; all (T,).

    overlap: IoU, 1 where both are empty, 0 in the frame that the run began with.
    visible: whether the true region has a pixel. answered: whether the answer has one.
    known: whether there is a truth.
    """

    overlap: NDArray[np.float64]
    visible: Flags
    answered: Flags
    known: Flags


def run_overlaps(
    answers: Regions, truth: Regions, size: tuple[int, int], ignored: Regions | None = None
) -> RunOverlaps:
    """The overlaps of a run.

    Args:
        answers, truth: T regions each.
        size: (H, W) of the image, beyond which nothing counts.
        ignored: T regions whose pixels do not count, or None.

    Raises:
        DataError: their numbers differ.
    """
    if len(answers) != len(truth):
        raise DataError(
            f"a run has {len(answers)} frames, but its sequence {len(truth)}; run the toolkit again"
        )
    nothing = np.zeros(size, np.bool_)
    overlaps = np.zeros(len(truth))
    for index, (answer, true) in enumerate(zip(answers, truth, strict=True)):
        one = nothing if answer is None else answer.on_image(size)
        other = nothing if true is None else true.on_image(size)
        region = None if ignored is None else ignored[index]
        if region is not None:
            counted = ~region.on_image(size)
            one, other = one & counted, other & counted
        union = int((one | other).sum())
        overlaps[index] = int((one & other).sum()) / union if union else 1.0
    return RunOverlaps(
        overlaps,
        np.array([true is not None and not true.is_empty for true in truth]),
        np.array([answer is not None and not answer.is_empty for answer in answers]),
        np.array([true is not None for true in truth]),
    )
