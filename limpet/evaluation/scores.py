"""The result of an evaluation: J and F of every object in every scored frame, and their means.

Everything is in [0, 1]; tables show per cent. As in the official tool the overall means are over objects, not
over sequences.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from limpet.core.errors import DataError
from limpet.evaluation.hota import TrackScores
from limpet.evaluation.metrics import MeasureStats, measure_stats


@dataclass(frozen=True)
class ObjectScores:
    """One object of one sequence: J and F in every scored frame.

    Args:
        sequence, object_id: which object.
        region, boundary: J and F by frame.
        frames: names of these frames; () where they are those of the sequence.
        visible: whether the truth shows the object in these frames; () where that was not noted.
        seen: whether training shows its category (YouTube-VOS, LVOS); None where that is not known.
        category: as the data set names it.
    """

    sequence: str
    object_id: int
    region: tuple[float, ...]
    boundary: tuple[float, ...]
    frames: tuple[str, ...] = ()
    visible: tuple[bool, ...] = ()
    seen: bool | None = None
    category: str = ""

    @cached_property
    def j(self) -> MeasureStats:
        """Mean, recall and decay of J."""
        return measure_stats(self.region)

    @cached_property
    def f(self) -> MeasureStats:
        """Mean, recall and decay of F."""
        return measure_stats(self.boundary)

    @property
    def j_and_f(self) -> float:
        """The mean of both means, 0 to 1."""
        return (self.j.mean + self.f.mean) / 2

    @property
    def variation(self) -> float:
        """V of LVOS: the standard deviation of J&F over the frames, of a variance with four decimals as there."""
        values = (np.asarray(self.region) + np.asarray(self.boundary)) / 2
        return math.sqrt(round(float(values.var()), 4))


@dataclass(frozen=True)
class Summary:
    """Means over a set of objects."""

    objects: int
    j: MeasureStats
    f: MeasureStats

    @property
    def j_and_f(self) -> float:
        """The mean of both means, 0 to 1."""
        return (self.j.mean + self.f.mean) / 2


@dataclass(frozen=True)
class SeenAndUnseen:
    """Means over the objects of categories that training shows, and of those that it does not."""

    seen: Summary
    unseen: Summary

    @property
    def g(self) -> float:
        """G: the mean of J and F over both kinds (Xu et al., 2018, section 4), 0 to 1."""
        return (self.seen.j_and_f + self.unseen.j_and_f) / 2


@dataclass(frozen=True)
class Scores:
    """The scores of a whole data set.

    >>> one = ObjectScores("swing", 1, region=(0.9, 0.8), boundary=(0.7, 0.6))
    >>> scores = Scores((one,), {"swing": ("00001", "00002")})
    >>> round(scores.j_mean, 2), round(scores.f_mean, 2), round(scores.j_and_f, 2)
    (0.85, 0.65, 0.75)

    Attributes:
        objects: of all sequences, in the order of the data set.
        frames: names of the frames by sequence in which any of its objects is scored.
        seconds: time spent in the tracker's steps; 0 when existing masks were scored.
        steps: number of those steps.
        notes: one sentence for each sequence in whose masks ids were found that are not scored.
        tracks: HOTA, where the protocol measures it, of the boxes around masks, as BURST's code has it.
        mask_tracks: HOTA of the masks themselves.
    """

    objects: tuple[ObjectScores, ...]
    frames: dict[str, tuple[str, ...]]
    seconds: float = 0.0
    steps: int = 0
    notes: tuple[str, ...] = ()
    tracks: TrackScores | None = None
    mask_tracks: TrackScores | None = None

    def __post_init__(self) -> None:
        if not self.objects:
            raise DataError("nothing was scored: there is no sequence; name a split that has one")

    @property
    def summary(self) -> Summary:
        """Means over all objects."""
        return summarise(self.objects)

    @property
    def j_mean(self) -> float:
        """Mean J over all objects, 0 to 1."""
        return self.summary.j.mean

    @property
    def f_mean(self) -> float:
        """Mean F over all objects, 0 to 1."""
        return self.summary.f.mean

    @property
    def j_and_f(self) -> float:
        """The headline number of DAVIS."""
        return self.summary.j_and_f

    @cached_property
    def seen_and_unseen(self) -> SeenAndUnseen | None:
        """The scores of YouTube-VOS and LVOS; None unless there are objects of both kinds."""
        seen, unseen = ([o for o in self.objects if o.seen is kind] for kind in (True, False))
        return SeenAndUnseen(summarise(seen), summarise(unseen)) if seen and unseen else None

    @property
    def headline(self) -> tuple[str, float]:
        """The number that papers compare and its name: HOTA, or G where there are unseen categories, else J&F."""
        if self.tracks is not None:
            return ("HOTA", self.tracks.groups["all"].hota)
        parts = self.seen_and_unseen
        return ("G", parts.g) if parts else ("J&F", self.j_and_f)

    @property
    def frames_per_second(self) -> float | None:
        """Speed of the tracker's steps alone, reading and scoring left out."""
        return self.steps / self.seconds if self.seconds else None

    def by_sequence(self) -> dict[str, tuple[ObjectScores, ...]]:
        """The objects of each sequence, in the order of the data set."""
        return {name: tuple(o for o in self.objects if o.sequence == name) for name in self.frames}

    def worst(self, count: int = 3) -> tuple[str, ...]:
        """Names of the sequences with the lowest mean J, the worst first."""
        means = {name: summarise(objects).j.mean for name, objects in self.by_sequence().items()}
        return tuple(sorted(means, key=lambda name: means[name])[:count])

    def region_by_frame(self, sequence: str) -> tuple[float, ...]:
        """J in every scored frame of a sequence, the mean of its objects."""
        names = self.frames[sequence]
        found: dict[str, list[float]] = {name: [] for name in names}
        for each in self.by_sequence()[sequence]:
            for name, value in zip(each.frames or names, each.region, strict=False):
                found.setdefault(name, []).append(value)
        return tuple(float(np.mean(values)) for name, values in found.items() if name and values)


def summarise(objects: Sequence[ObjectScores]) -> Summary:
    """Means of the objects' mean, recall and decay."""
    return Summary(len(objects), _mean(o.j for o in objects), _mean(o.f for o in objects))


def _mean(stats: Iterable[MeasureStats]) -> MeasureStats:
    rows = np.array([(c.mean, c.recall, c.decay) for c in stats], dtype=np.float64)
    mean, recall, decay = (float(value) for value in rows.mean(axis=0))
    return MeasureStats(mean, recall, decay)
