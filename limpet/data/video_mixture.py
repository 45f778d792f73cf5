"""From which video the next training clip is: data sets in shares that change, and crowded videos more often.

    DAVIS:2017/train,repeat=5   YOUTUBE:train,repeat=0.75-0.15   MOSE:train,repeat=0.25-0.85,importance=1,merge=0

is the mixture of DeVOS (supplement, section 1.2): 5 : k : p, where k falls while p grows, and importance sampling of
crowded videos in the last of the three alone. A repeat is a factor of the number of videos, as if the data set were
named so many times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from limpet.core.errors import DataError, MaskError
from limpet.core.masks import read_ids
from limpet.data.datasets import SetSampling, VideoSequence, VideoSet

SETTINGS = {"repeat": "repeat=5 or repeat=0.75-0.15", "importance": "importance=1", "merge": "merge=0.4"}
"""What may stand behind ROOT:SPLIT, with an example each."""


class VideoMixture:
    """The videos of several data sets, each with its chance.

    Args:
        sets: data sets. importance: of those that have none of their own, see ``importance``.

    Attributes:
        sequences: all videos, one set after the other.
    """

    def __init__(self, sets: Sequence[VideoSet], importance: float = 0.0) -> None:
        self.sets = list(sets)
        self.sequences = [sequence for each in self.sets for sequence in each]
        self._set_of = [number for number, each in enumerate(self.sets) for _ in each]
        powers = [
            importance if each.sampling.importance is None else each.sampling.importance for each in self.sets
        ]
        self._alike = not any(powers) and all(each.sampling.repeat == (1.0, 1.0) for each in self.sets)
        self._within = [
            importance_of([objects_of(sequence) for sequence in each], power)
            if power
            else np.full(len(each), 1 / max(len(each), 1))
            for each, power in zip(self.sets, powers, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.sequences)

    def shares(self, progress: float) -> np.ndarray:
        """The share of clips that come from each set, at ``progress`` (0 to 1); they add up to 1."""
        weights = np.array(
            [np.interp(progress, (0.0, 1.0), each.sampling.repeat) * len(each) for each in self.sets]
        )
        total = weights.sum()
        if total <= 0:
            raise DataError(f"every data set has repeat 0 at progress {progress:.2f}; give one of them more")
        result: np.ndarray = weights / total
        return result

    def probabilities(self, progress: float) -> np.ndarray:
        """The chance of each video at ``progress``; they add up to 1."""
        shares = self.shares(progress)
        return np.concatenate([share * within for share, within in zip(shares, self._within, strict=True)])

    def draw(self, rng: np.random.Generator, progress: float) -> tuple[VideoSequence, int]:
        """A video, and the number of its set."""
        if self._alike:
            index = int(rng.integers(len(self.sequences)))
        else:
            index = int(rng.choice(len(self.sequences), p=self.probabilities(progress)))
        return self.sequences[index], self._set_of[index]

    def draw_from(self, rng: np.random.Generator, number: int) -> VideoSequence:
        """Another video of one set."""
        return self.sets[number].sequences[int(rng.choice(len(self._within[number]), p=self._within[number]))]


def importance_of(objects: Sequence[int], power: float) -> np.ndarray:
    """Importance sampling: o_i^power / sum of o_j^power for videos with ``objects`` (DeVOS, supplement 1.2)."""
    weights = np.maximum(np.array(objects, np.float64), 1) ** power
    return np.asarray(weights / weights.sum())


def objects_of(sequence: VideoSequence) -> int:
    """How many objects the first mask of a video has; 1 where that cannot be read, which shows when it is drawn.

    A mask is read once in a process, however often its data set is named.
    """
    return _objects_in(sequence.masks[0])


@cache
def _objects_in(mask: Path) -> int:
    try:
        return len(set(np.unique(read_ids(mask)).tolist()) - {0, 255})
    except MaskError:
        return 1


def split_sampling(text: str) -> tuple[str, SetSampling]:
    """``ROOT:SPLIT,repeat=A-B,importance=T,merge=P`` -> ROOT:SPLIT, and the settings that are behind it.

    Raises:
        DataError: a setting is not known, or its value makes no sense.
    """
    rest, sampling = text, SetSampling()
    while "=" in rest.rpartition(",")[2] and "," in rest:
        rest, _, setting = rest.rpartition(",")
        name, _, value = setting.partition("=")
        if name not in SETTINGS:
            raise DataError(
                f"{setting!r} is not a setting of a data set; expected {', '.join(SETTINGS.values())}"
            )
        try:
            sampling = _with_setting(sampling, name, [float(part) for part in value.split("-")])
        except ValueError as error:
            raise DataError(f"{setting!r} has no value that fits; expected {SETTINGS[name]}") from error
    return rest, sampling


def _with_setting(sampling: SetSampling, name: str, numbers: list[float]) -> SetSampling:
    """Raises ValueError."""
    if name == "repeat" and len(numbers) == 2:
        return replace(sampling, repeat=(numbers[0], numbers[1]))
    (number,) = numbers
    if name == "repeat":
        return replace(sampling, repeat=(number, number))
    return replace(sampling, importance=number) if name == "importance" else replace(sampling, merge=number)
