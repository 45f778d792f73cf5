"""Masks that show what a format does to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np

from limpet.exchange.mask_sequence import MaskFrame, MaskSequence

SIZE = (24, 40)
TIMES = (0.0, 0.04, 0.08, 0.2, 0.24, 0.28)
"""Not at a constant rate."""


def clip_of(
    frames: Mapping[int, np.ndarray], names: Mapping[int, str], count: int | None = None, **facts: object
) -> MaskSequence:
    """A sequence of given label maps."""
    size = next(iter(frames.values())).shape

    def each() -> Iterator[MaskFrame]:
        for index, labels in frames.items():
            yield MaskFrame(index, TIMES[index] if index < len(TIMES) else index / 25, labels)

    return MaskSequence("clip.mp4", size, dict(names), each, count or max(frames) + 1, **facts)  # type: ignore[arg-type]


def hard_clip() -> MaskSequence:
    """Six frames of 24 x 40: an L, islands of one pixel, holes, an empty frame, and an object that leaves and returns.

    Object 1 is an L, 3 has islands, 7 has a hole with object 200 in it, 9 touches all four sides, 12 is never seen.
    """
    return clip_of(hard_labels(), HARD_NAMES, len(TIMES), frame_rate=Fraction(25))


HARD_NAMES = {1: "cat", 3: "", 7: 'dög "ü" <&>', 9: "cat", 12: "hidden", 200: "ball"}


def hard_labels() -> dict[int, np.ndarray]:
    frames = {}
    for index in range(len(TIMES)):
        labels = np.zeros(SIZE, np.uint8)
        if index != 3:  # an empty frame
            labels[2:14, 3 + index : 6 + index] = 1  # an L, higher than wide
            labels[11:14, 3 + index : 10 + index] = 1
            labels[(0, 5, 23), (39, 20, 0)] = 3
            if index not in (2, 4):  # leaves and comes back, twice
                labels[15:22, 14:26] = 7
                labels[17:20, 17:21] = 200 if index % 2 else 0
        if index == 5:
            labels = np.zeros(SIZE, np.uint8)
            labels[0], labels[-1], labels[:, 0], labels[:, -1] = 9, 9, 9, 9
        frames[index] = labels
    return frames


def crowd(count: int = 300) -> MaskSequence:
    """Two frames with 300 objects."""
    frames = {}
    for index in range(2):
        labels = np.zeros((40, 80), np.uint16)
        for k in range(count):
            row, column = divmod(k, 40)
            labels[row * 4 + index : row * 4 + index + 2, column * 2 : column * 2 + 1 + k % 2] = k + 1
        frames[index] = labels
    return clip_of(frames, {k + 1: f"thing {k + 1}" for k in range(count)})


def assert_same(one: MaskSequence, two: MaskSequence, *, times: bool = True, names: bool = True) -> None:
    """The same ids, masks and, if asked, names and times; frames that are left out count as empty."""
    assert set(one.names) == set(two.names)
    if names:
        assert dict(one.names) == dict(two.names)
    assert tuple(one.size) == tuple(two.size)
    empty = np.zeros(one.size, np.uint16)
    first, second = ({frame.index: frame for frame in each} for each in (one, two))
    assert list(first) == sorted(first) and list(second) == sorted(second)
    for index in sorted({*first, *second}):
        left = first[index].labels if index in first else empty
        right = second[index].labels if index in second else empty
        assert left.shape == right.shape == tuple(one.size)
        assert np.array_equal(left, right), f"frame {index}: {np.argwhere(left != right)[:5].tolist()}"
        if times and index in first and index in second:
            assert abs(first[index].time - second[index].time) < 1e-6, index
