"""HOTA: how well tracks are found in each frame (DetA) and kept together over the frames (AssA).

HOTA does not ask which track of the prediction belongs to which true one: in each frame, the tracks of a class are
paired so that pairs which overlap much, in this frame and over the whole video, come together. A pair counts at the
threshold alpha if its overlap reaches it. DetA is the share of pairs that count among all true and predicted masks;
AssA the mean, over these pairs, of the share of frames in which both tracks are such a pair; HOTA the square root of
their product. All three are averaged over alpha (Luiten et al., IJCV 2021, section 5). Over videos, the pairs and the
unpaired masks of a class are added up; over classes, the three measures are averaged. The numbers equal those of
TrackEval 1.3.0, by the same authors.

The overlap is that of masks, or that of the boxes around them: BURST's code compares boxes.

Legend: G true tracks and P predicted ones in a frame; A thresholds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import MissingExtraError

ALPHAS = np.arange(0.05, 0.99, 0.05)
"""The thresholds: 0.05, 0.10 … 0.95."""
_EPSILON = float(np.finfo(float).eps)
Values = NDArray[np.float64]
Rows = tuple[tuple[float, ...], ...]
Overlap = Literal["boxes", "masks"]


@dataclass(frozen=True)
class TrackClass:
    """A class whose tracks are measured together.

    group: of the classes over which a mean of its own is reported, or "".
    measured: False for a class that has no score, but whose true tracks make a frame count for the others.
    """

    name: str
    group: str = ""
    measured: bool = True


@dataclass(frozen=True)
class TrackFrame:
    """The tracks of one class in one annotated frame.

    Args:
        truth: numbers of the G tracks that the truth shows. found: of the P tracks that the prediction shows.
        masks: G rows of P values, the intersection over union of each pair. boxes: that of the boxes around them.
    """

    truth: tuple[int, ...]
    found: tuple[int, ...]
    masks: Rows
    boxes: Rows

    def overlaps(self, kind: Overlap) -> Values:
        """The overlaps, float64 (G, P)."""
        rows = self.boxes if kind == "boxes" else self.masks
        return np.array(rows, np.float64).reshape(len(self.truth), len(self.found))


@dataclass(frozen=True)
class ClassTracks:
    """The tracks of one class in one video.

    Args:
        name: of the class. group: of the classes over which a mean of its own is reported, or "".
        frames: the annotated ones, in their order.
    """

    name: str
    group: str
    frames: tuple[TrackFrame, ...]


@dataclass(frozen=True)
class TrackCounts:
    """What HOTA is made of; counts of several videos can be added. Each is float64 (A,).

    pairs: that reach the threshold. missed: true masks without a pair. surplus: predicted masks without a pair.
    association: the association scores of the pairs, added up.
    """

    pairs: Values
    missed: Values
    surplus: Values
    association: Values

    def __add__(self, other: TrackCounts) -> TrackCounts:
        return TrackCounts(
            self.pairs + other.pairs,
            self.missed + other.missed,
            self.surplus + other.surplus,
            self.association + other.association,
        )


@dataclass(frozen=True)
class Hota:
    """HOTA and its parts, each averaged over the thresholds, 0 to 1."""

    hota: float
    detection: float
    association: float

    @classmethod
    def of(cls, counts: TrackCounts) -> Hota:
        """The measures of these counts."""
        detection = counts.pairs / np.maximum(1, counts.pairs + counts.missed + counts.surplus)
        association = counts.association / np.maximum(1, counts.pairs)
        hota = np.sqrt(detection * association)
        return cls(float(hota.mean()), float(detection.mean()), float(association.mean()))


@dataclass(frozen=True)
class TrackScores:
    """HOTA of a whole data set.

    classes: by name. groups: means over the classes of each group; the first one, "all", over all classes.
    """

    classes: Mapping[str, Hota]
    groups: Mapping[str, Hota]


def score_tracks(videos: Iterable[ClassTracks], overlap: Overlap) -> TrackScores | None:
    """HOTA of all classes; None where there is no track.

    Args:
        overlap: of what pairs are compared.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    counts: dict[str, TrackCounts] = {}
    groups: dict[str, list[str]] = {"all": []}
    for each in videos:
        found = count_pairs(each.frames, overlap)
        if each.name in counts:
            counts[each.name] += found
            continue
        counts[each.name] = found
        groups["all"].append(each.name)
        if each.group:
            groups.setdefault(each.group, []).append(each.name)
    classes = {name: Hota.of(found) for name, found in counts.items()}
    if not classes:
        return None
    return TrackScores(
        classes, {group: _mean([classes[name] for name in names]) for group, names in groups.items()}
    )


def count_pairs(frames: Sequence[TrackFrame], kind: Overlap) -> TrackCounts:
    """Pair the tracks of one class in one video.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise MissingExtraError("HOTA", "burst", "scipy") from error
    truth = {number: place for place, number in enumerate(sorted({i for f in frames for i in f.truth}))}
    found = {number: place for place, number in enumerate(sorted({i for f in frames for i in f.found}))}
    rows = [np.array([truth[number] for number in frame.truth], int) for frame in frames]
    columns = [np.array([found[number] for number in frame.found], int) for frame in frames]
    overlaps = [frame.overlaps(kind) for frame in frames]
    together, frames_of_truth = np.zeros((len(truth), len(found))), np.zeros((len(truth), 1))
    frames_of_found = np.zeros((1, len(found)))
    for overlap, row, column in zip(overlaps, rows, columns, strict=True):
        union = overlap.sum(0)[None, :] + overlap.sum(1)[:, None] - overlap
        shared = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > _EPSILON)
        together[np.ix_(row, column)] += shared
        frames_of_truth[row] += 1
        frames_of_found[0, column] += 1
    alignment = together / (frames_of_truth + frames_of_found - together)
    pairs = np.zeros((len(ALPHAS), len(truth), len(found)))
    for overlap, row, column in zip(overlaps, rows, columns, strict=True):
        a, b = linear_sum_assignment(alignment[np.ix_(row, column)] * overlap, maximize=True)
        pairs[:, row[a], column[b]] += overlap[a, b] >= ALPHAS[:, None] - _EPSILON
    shares = pairs / np.maximum(1, frames_of_truth + frames_of_found - pairs)
    counted = pairs.sum((1, 2))
    return TrackCounts(
        counted,
        frames_of_truth.sum() - counted,
        frames_of_found.sum() - counted,
        (pairs * shares).sum((1, 2)),
    )


def box_overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    """Intersection over union of two boxes (left, top, width, height) in pixels.

    >>> box_overlap((0, 0, 4, 2), (2, 0, 4, 2))
    0.3333333333333333
    """
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (one[2] * one[3] + other[2] * other[3] - width * height)


def _mean(measures: Sequence[Hota]) -> Hota:
    rows = np.array([(each.hota, each.detection, each.association) for each in measures])
    hota, detection, association = (float(value) for value in rows.mean(0))
    return Hota(hota, detection, association)
