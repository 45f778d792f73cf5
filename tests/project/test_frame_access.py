"""Frames in any order, from images and from a video file, with few of them in memory."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from video.clips import SIZE, grey_of, make_clip

from limpet.core.errors import VideoError
from limpet.project import Project
from limpet.project.frame_access import FrameAccess
from limpet.video import image_reader
from limpet.video.open import open_video
from limpet.video.video_reader import Frame, VideoReader

from .tiny import COUNT, Repeats, make_video

BYTES = SIZE[0] * SIZE[1] * 3


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mp4", 20)


def test_backwards_is_forwards_reversed_whatever_the_chunk(clip: Path) -> None:
    with open_video(clip) as reader:
        wanted = [(frame.index, frame.image) for frame in reader][4:18]
        for chunk in (2, 5, 100):
            access = FrameAccess(reader, chunk_bytes=chunk * BYTES)
            assert access.chunk == chunk
            found = [(frame.index, frame.image) for frame in access.backwards(4, 17)]
            assert [index for index, _ in found] == list(range(17, 3, -1))
            for (_, image), (_, expected) in zip(found, reversed(wanted), strict=True):
                assert np.array_equal(image, expected)


def test_single_frames_are_found(clip: Path) -> None:
    with open_video(clip) as reader:
        found = FrameAccess(reader).at([17, 3, 3])
    assert sorted(found) == [3, 17]
    assert grey_of(found[17].image) - grey_of(found[3].image) == pytest.approx(14 * 5, abs=4)


def test_images_are_opened_where_they_are_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    read = image_reader.read_image

    def noted(path: Path) -> np.ndarray:
        opened.append(path.stem)
        return read(path)

    monkeypatch.setattr(image_reader, "read_image", noted)
    with open_video(make_video(tmp_path / "clip", 150)) as reader:
        access = FrameAccess(reader)
        assert [int(frame.image[0, 0, 0]) for frame in access.backwards(60, 70)] == list(range(70, 59, -1))
        assert opened == [f"{index:04d}" for index in range(60, 71)]
        assert [frame.index for frame in access.forwards(147, None)] == [147, 148, 149]
        assert access.counted == 150


class Counting(VideoReader):
    """Makes frames and counts how many of them are alive."""

    def __init__(self) -> None:
        super().__init__(Path("made-up"))
        self.size, self.alive, self.most = (4, 4), 0, 0

    def _frames(self) -> Generator[Frame, None, None]:
        for index in range(100):
            image = np.full((4, 4, 3), index, np.uint8)
            self.alive += 1
            self.most = max(self.most, self.alive)
            weakref.finalize(image, self._gone)
            yield Frame(index, image, 0.0)
            del image

    def _gone(self) -> None:
        self.alive -= 1


def test_no_more_than_a_chunk_is_in_memory() -> None:
    reader = Counting()
    access = FrameAccess(reader, chunk_bytes=8 * 48)
    assert [frame.index for frame in access.backwards(10, 90)] == list(range(90, 9, -1))
    gc.collect()
    assert reader.most <= 8 + 2, "a chunk, the frame being made, and the one in the caller's hand"


class Seeking(Counting):
    """Can begin anywhere."""

    def frames_from(self, index: int) -> Generator[Frame, None, None]:
        return (Frame(k, np.full((4, 4, 3), k, np.uint8), 0.0) for k in range(index, 100))


def test_a_reader_that_can_begin_anywhere_is_not_read_from_the_start() -> None:
    reader = Seeking()
    access = FrameAccess(reader, chunk_bytes=8 * 48)
    assert [frame.index for frame in access.backwards(50, 60)] == list(range(60, 49, -1))
    assert sorted(access.at([7, 90])) == [7, 90]
    assert reader.most == 0
    with pytest.raises(VideoError, match="made-up has no frame 130: it ends after 100 frames, 0 to 99"):
        list(access.forwards(95, 130))


def test_frames_that_are_near_are_read_in_one_pass(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_video(clip) as reader:
        begun: list[int] = []
        frames_from = reader.frames_from
        monkeypatch.setattr(reader, "frames_from", lambda index: begun.append(index) or frames_from(index))
        assert sorted(FrameAccess(reader).at([19, 2, 7])) == [2, 7, 19] and begun == [2]
        with pytest.raises(VideoError, match=r"clip\.mp4 has no frame 40: it ends after 20 frames, 0 to 19"):
            FrameAccess(reader).at([40])


def test_images_keep_their_times_and_numbers(tmp_path: Path) -> None:
    with open_video(make_video(tmp_path / "clip", 100)) as reader:
        expected = [(frame.index, frame.time) for frame in reader]
        assert [(frame.index, frame.time) for frame in FrameAccess(reader).forwards(70, 99)] == expected[70:]


def test_the_end_of_the_video_is_known_once_it_was_reached(clip: Path) -> None:
    with open_video(clip) as reader:
        access = FrameAccess(reader)
        list(access.forwards(3, 5))
        assert access.counted is None
        with pytest.raises(VideoError, match=r"clip\.mp4 has no frame 25: it ends after 20 frames, 0 to 19"):
            list(access.forwards(3, 25))
        assert access.counted == 20


def test_a_project_of_a_video_file_learns_its_length(clip: Path, tmp_path: Path) -> None:
    project = Project.create(tmp_path / "job", clip)
    mask = np.zeros(SIZE, np.uint8)
    mask[5:20, 5:20] = 3
    project.add(12, mask)
    with pytest.raises(VideoError, match="has no frame 20"):
        project.correct(20, mask)
    project.propagate_backwards(Repeats(), 12, 8)
    project.propagate(Repeats())
    assert [frame for frame, status in project.statuses() if status != "empty"] == list(range(8, 20))
    with pytest.raises(VideoError, match="the video has no frame 20: it has 20 frames, counted from 0"):
        Project.open(project.path).correct(20, mask)


def test_a_pass_reads_the_frames_it_says(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "job", make_video(tmp_path / "clip"))
    mask = np.zeros((12, 16), np.uint8)
    mask[2:6, 2:6] = 1
    project.add(6, mask)
    tracker = Repeats()
    project.propagate_backwards(tracker, 6, 2)
    project.propagate_forwards(tracker, 6)
    assert tracker.stepped == [5, 4, 3, 2, 7, 8, COUNT - 1]
