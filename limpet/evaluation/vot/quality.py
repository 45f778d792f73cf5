"""The measures of VOTS 2023 to 2025, from one run on all objects of a video. Not official.

The toolkit of VOT is what counts. These are the same measures, written from their description (Kristan et al., The
First Visual Object Tracking Segmentation VOTS2023 Challenge Results, section 3) and checked against the toolkit's
figures.

Legend: T frames of a run, the one that it began with included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from limpet.evaluation.vot.overlaps import Flags, RunOverlaps

ABSENT_FOR = 10
"""An object must be absent in more frames than this to count in the absence-detection quality."""


@dataclass(frozen=True)
class QualityScore:
    """The measures of a tracker: means over the objects of a sequence, and then over the sequences.

    quality: Q, the mean overlap, 1 where an object is rightly said to be absent.
    accuracy: mean overlap where an object is visible and touched. robustness: share of such frames.
    not_reported: NRE, share of the frames in which a visible object is said to be absent.
    drift: DRE, share of the frames in which the answer lies beside a visible object.
    absence: ADQ, share of an object's absence in which it is said to be absent; None where none is absent for long.
    """

    quality: float
    accuracy: float
    robustness: float
    not_reported: float
    drift: float
    absence: float | None


def quality_score(sequences: Sequence[Sequence[RunOverlaps]]) -> QualityScore:
    """The measures of all sequences; for each the overlaps of its objects."""

    def mean(measure: Callable[[RunOverlaps], float | None]) -> float | None:
        of_sequences = [_mean([measure(run) for run in objects]) for objects in sequences]
        return _mean(of_sequences)

    def total(measure: Callable[[RunOverlaps], float | None]) -> float:
        return mean(measure) or 0.0

    return QualityScore(
        total(lambda run: _mean_overlap(run, run.known)),
        total(_accuracy),
        total(lambda run: _share(run, run.overlap > 0)),
        total(lambda run: _share(run, (run.overlap == 0) & ~run.answered)),
        total(lambda run: _share(run, (run.overlap == 0) & run.answered)),
        mean(_absence),
    )


def average_overlap(sequences: Sequence[RunOverlaps], burn_in: int = 1) -> float:
    """The mean overlap of single objects, without the first ``burn_in`` frames, weighted by the length of the run."""
    weights = [len(run.overlap) for run in sequences]
    means = [_mean_overlap(run, run.known & (np.arange(len(run.known)) >= burn_in)) for run in sequences]
    return float(np.average(means, weights=weights))


def _accuracy(run: RunOverlaps) -> float:
    """As the toolkit counts it, the first frame, in which the overlap is 0, is among those that are touched."""
    touched = run.overlap > 0
    touched[0] = True
    return _mean_overlap(run, touched & run.visible)


def _share(run: RunOverlaps, which: Flags) -> float | None:
    visible = int(run.visible.sum())
    return int((which & run.visible).sum()) / visible if visible else None


def _absence(run: RunOverlaps) -> float | None:
    absent = run.known & ~run.visible
    count = int(absent.sum())
    return int((absent & ~run.answered).sum()) / count if count > ABSENT_FOR else None


def _mean_overlap(run: RunOverlaps, which: Flags) -> float:
    """Of the frames ``which``; 0 where there are none."""
    return float(run.overlap[which].mean()) if which.any() else 0.0


def _mean(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None
