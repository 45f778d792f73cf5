"""Expected average overlap, accuracy and robustness of VOT 2020 to 2022, from runs that begin at anchors. Not official.

The toolkit of VOT is what counts. These are the same measures, written from their description (Kristan et al., The
Eighth Visual Object Tracking VOT2020 Challenge Results, section 3) and checked against the toolkit's figures.

Legend: T frames of a run, the one that it began with included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from limpet.evaluation.vot.overlaps import RunOverlaps
from limpet.evaluation.vot.stacks import EAO_INTERVAL

FAILED_BELOW, FAILED_FOR = 0.1, 10
"""A run has failed where the overlap is at most this in so many frames in a row in which the object is visible."""


class AnchoredRuns(NamedTuple):
    """The runs on one sequence, one for each anchor. frames: of the sequence."""

    frames: int
    runs: Sequence[RunOverlaps]


@dataclass(frozen=True)
class MultistartScore:
    """The measures of a tracker over all sequences.

    eao: expected average overlap. curve: of which it is the mean, by the length of a run from 0 on.
    accuracy: mean overlap until a failure. robustness: share of the frames until a failure.
    """

    eao: float
    accuracy: float
    robustness: float
    curve: tuple[float, ...]


def frames_until_failure(run: RunOverlaps) -> int:
    """The index of the first of the frames that make a failure; T where there is none."""
    missed = np.concatenate([[0], np.cumsum((run.overlap <= FAILED_BELOW) & run.visible)])
    in_a_row = missed[FAILED_FOR:] - missed[:-FAILED_FOR]
    failures = np.flatnonzero(in_a_row == FAILED_FOR)
    return int(failures[0]) if len(failures) else len(run.overlap)


def multistart_score(
    sequences: Sequence[AnchoredRuns], interval: tuple[int, int] = EAO_INTERVAL
) -> MultistartScore:
    """The measures of the runs of all sequences.

    Args:
        sequences: the runs on each.
        interval: the lengths, both included, whose expected overlaps are averaged.
    """
    low, high = interval
    sums, active = np.zeros(high), np.zeros(high)
    accuracy = robustness = kept_frames = all_frames = 0.0
    for length, runs in sequences:
        until = [frames_until_failure(run) for run in runs]
        frames = sum(len(run.overlap) for run in runs)
        kept_frames += sum(until)
        accuracy += sum(float(run.overlap[:end].sum()) for run, end in zip(runs, until, strict=True))
        robustness += sum(until) / frames * length
        all_frames += length
        for run, end in zip(runs, until, strict=True):
            of_run, is_active = expected_overlaps(run, end, high)
            sums += of_run
            active += is_active
    curve = np.divide(sums, active, out=np.zeros(high), where=active > 0)
    part = curve[low : high + 1]
    return MultistartScore(
        float(part.mean()) if len(part) else 0.0,
        accuracy / kept_frames if kept_frames else 0.0,
        robustness / all_frames,
        tuple(curve.tolist()),
    )


def expected_overlaps(
    run: RunOverlaps, until: int, lengths: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The mean overlap of the frames 1 to j of a run, for each j below ``lengths``, and where there is one.

    After a failure the overlap is 0, and a run that has failed goes on for ever; another one ends with its last frame.

    Args:
        until: of ``frames_until_failure``.
    """
    frames = len(run.overlap)
    overlap = np.where(np.arange(frames) < until, run.overlap, 0.0)
    sums = np.cumsum(overlap) - overlap[0]  # of the frames 1 to j
    j = np.arange(lengths)
    inside = (j >= 1) & (j < frames)
    beyond = (j >= max(frames, 2)) & (until < frames)
    found = np.zeros(lengths)
    found[inside] = sums[j[inside]] / j[inside]
    found[beyond] = sums[-1] / (j[beyond] - 1)
    return found, inside | beyond
