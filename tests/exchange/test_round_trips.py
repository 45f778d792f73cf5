"""Every format there and back: an L, islands of one pixel, holes, an empty frame, an object that leaves and returns."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import MaskError
from limpet.exchange.formats import FORMATS, read_masks, write_masks
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence

from .sequences import HARD_NAMES, TIMES, assert_same, clip_of, crowd, hard_clip, hard_labels


@dataclass(frozen=True)
class Kept:
    """What a format keeps. every: frames between those that it has. most: objects."""

    names: bool = True
    times: bool = True
    unseen: bool = True
    rate: bool = True
    title: bool = True
    every: int = 1
    most: int = 65_535


KEPT = {
    "coco": Kept(),
    "youtube-vis": Kept(),
    "youtube-vis-results": Kept(names=False, times=False, rate=False, title=False),
    "cvat-video": Kept(unseen=False),
    "cvat-mask": Kept(times=False, unseen=False, rate=False, title=False, most=255),
    "mots-txt": Kept(names=False, times=False, unseen=False, rate=False, title=False, most=999),
    "mots-png": Kept(times=False, unseen=False, rate=False, title=False, most=999),
    "sa-v": Kept(every=4),
    "supervisely": Kept(),
    "alpha-prores": Kept(),
    "alpha-vp9": Kept(),
    "alpha-qtrle": Kept(),
    "alpha-ffv1": Kept(),
    "alpha-png": Kept(),
    "png-per-object": Kept(),
    "exr": Kept(),
}


def there_and_back(name: str, folder: Path, masks: MaskSequence) -> MaskSequence:
    if name == "exr":
        pytest.importorskip("OpenEXR")
    out = folder / f"out{(FORMATS[name].suffixes or ('',))[0]}"
    write_masks(masks, out, name)
    return read_masks(out)


LOSSY = {"label-studio", "label-studio-vector"}
"""Formats without masks; each has its own tests."""


def test_every_exact_format_is_tested() -> None:
    assert set(KEPT) == set(FORMATS) - LOSSY


@pytest.mark.parametrize("name", KEPT)
def test_there_and_back(name: str, tmp_path: Path) -> None:
    kept = KEPT[name]
    back = there_and_back(name, tmp_path, hard_clip())
    frames = {index: labels for index, labels in hard_labels().items() if index % kept.every == 0}
    seen = {int(i) for labels in frames.values() for i in set(labels.ravel().tolist())}
    names = {i: text for i, text in HARD_NAMES.items() if kept.unseen or i in seen}
    assert_same(clip_of(frames, names, len(TIMES)), back, times=kept.times, names=kept.names)
    assert back.frame_count == len(TIMES)
    assert back.frame_rate == (25 if kept.rate else None)
    assert (back.name == "clip.mp4") == kept.title
    assert not back.numbered


@pytest.mark.parametrize("name", KEPT)
def test_three_hundred_objects(name: str, tmp_path: Path) -> None:
    kept = KEPT[name]
    if name.startswith("alpha"):
        pytest.skip("300 videos take too long; nothing depends on their number")
    if kept.most < 300:
        with pytest.raises(MaskError, match="object 300 has no colour"):
            there_and_back(name, tmp_path, crowd())
        return
    masks = crowd()
    frames = (
        {0: next(iter(masks)).labels} if kept.every > 1 else {frame.index: frame.labels for frame in masks}
    )
    back = there_and_back(name, tmp_path, masks)
    assert_same(
        clip_of(frames, masks.names, 2), back, times=kept.times, names=kept.names and name != "mots-png"
    )


@pytest.mark.parametrize("name", KEPT)
def test_a_clip_without_objects(name: str, tmp_path: Path) -> None:
    empty = clip_of({0: hard_labels()[3], 1: hard_labels()[3]}, {}, 2)
    if name == "youtube-vis-results":
        with pytest.raises(MaskError, match="of none of the formats"):
            there_and_back(name, tmp_path, empty)
        return
    if name == "mots-txt":
        with pytest.raises(MaskError, match="frames of 0 sizes"):
            there_and_back(name, tmp_path, empty)
        return
    back = there_and_back(name, tmp_path, empty)
    assert dict(back.names) == {} and not any(frame.labels.any() for frame in back)


@pytest.mark.parametrize("name", [*KEPT, *sorted(LOSSY)])
def test_few_frames_are_in_memory(name: str, tmp_path: Path) -> None:
    """However long the video is: a frame is let go before the next but one comes, in writing and in reading."""
    if name == "exr":
        pytest.importorskip("OpenEXR")
    alive: weakref.WeakSet[MaskFrame] = weakref.WeakSet()
    most = 0

    def frames() -> Iterator[MaskFrame]:
        nonlocal most
        for index in range(12):
            labels = np.zeros((8, 16), np.uint8)
            labels[2:5, index : index + 3] = 7
            frame = MaskFrame(index, index / 25, labels)
            alive.add(frame)
            most = max(most, len(alive))
            yield frame

    out = tmp_path / f"out{(FORMATS[name].suffixes or ('',))[0]}"
    write_masks(MaskSequence("clip.mp4", (8, 16), {7: "cat"}, frames, 12, Fraction(25)), out, name)
    assert 1 <= most <= 3
    read: weakref.WeakSet[MaskFrame] = weakref.WeakSet()
    for frame in read_masks(out):
        read.add(frame)
        assert len(read) <= 2
