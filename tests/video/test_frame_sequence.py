"""Frames in memory and from generators, as a video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from limpet.core.errors import VideoError
from limpet.tracking.run_settings import can_read_again
from limpet.video.open import open_source

from .clips import picture

PICTURES = [picture(index) for index in range(4)]


def generated() -> Iterator[np.ndarray]:
    yield from PICTURES


@pytest.mark.parametrize(
    "frames",
    [PICTURES, tuple(PICTURES), np.stack(PICTURES),
     torch.from_numpy(np.stack(PICTURES)), [torch.from_numpy(p) for p in PICTURES]],
    ids=["list", "tuple", "array", "tensor", "tensors"],
)  # fmt: skip
def test_frames_in_memory_can_be_read_again(frames: object) -> None:
    with open_source(frames) as reader:  # type: ignore[arg-type]
        assert (reader.size, reader.frame_count, reader.known_length()) == (PICTURES[0].shape[:2], 4, 4)
        for _ in range(2):
            found = list(reader)
            assert [frame.index for frame in found] == [0, 1, 2, 3] and found[1].time == pytest.approx(1 / 24)
            assert all(np.array_equal(f.image, p) for f, p in zip(found, PICTURES, strict=True))
        assert not can_read_again(reader), "no run over them can be resumed"


def test_a_generator_is_read_once() -> None:
    with open_source(generated()) as reader:
        assert reader.frame_count is None and reader.size == PICTURES[0].shape[:2]
        assert [frame.index for frame in reader] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([], "empty sequence"),
        (iter(()), "empty sequence"),
        ([np.zeros((4, 4), np.uint8)], r"a frame is uint8 \(4, 4\)"),
        ([np.zeros((4, 4, 3), np.float32)], "a frame is float32"),
        (["a.png"], "a frame is"),
        (7, "the video is a int; expected a name"),
        (None, "the video is a NoneType"),
    ],
)
def test_what_is_no_frames_is_told(frames: object, words: str) -> None:
    with pytest.raises(VideoError, match=words):
        open_source(frames)  # type: ignore[arg-type]


def test_frames_of_two_sizes() -> None:
    with (
        open_source([PICTURES[0], PICTURES[0][:9]]) as reader,
        pytest.raises(VideoError, match="frame 1 is 9x64"),
    ):
        list(reader)


def test_a_folder_called_frames_is_another_thing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "frames").write_bytes(b"a file")
    monkeypatch.chdir(tmp_path)
    assert not can_read_again(open_source(PICTURES))
