"""Video files: every frame comes out, with its time, turned as shown."""

from __future__ import annotations

import gc
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from limpet.core.errors import VideoError
from limpet.video.open import open_video
from limpet.video.opencv_reader import OpenCVReader
from limpet.video.pyav_reader import PyAVReader

from .clips import SIZE, damage_packet, grey_of, make_clip, picture, set_display_matrix

KINDS = {
    "clip.mp4": ("libx264", "yuv420p"),
    "clip.mov": ("mjpeg", "yuvj420p"),
    "clip.mkv": ("libx264", "yuv420p"),
    "clip.webm": ("libvpx-vp9", "yuv420p"),
    "clip.gif": ("gif", "rgb8"),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_gives_all_frames_in_order(tmp_path: Path, name: str) -> None:
    codec, pixels = KINDS[name]
    make_clip(tmp_path / name, 20, codec=codec, pixels=pixels)
    with open_video(tmp_path / name) as video:
        frames = list(video)
        assert (video.name, video.size, video.frame_rate, video.failures) == (name, SIZE, 25, [])
        assert video.frame_count == 20
    assert [frame.index for frame in frames] == list(range(20))
    assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(20)], abs=1e-3)
    for frame in frames:
        assert frame.image is not None and frame.image.dtype == np.uint8
        assert grey_of(frame.image) == pytest.approx(
            40 + 5 * frame.index, abs=20 if name == "clip.gif" else 3
        )
    assert frames[0].image is not None
    assert np.abs(frames[0].image[5, 5].astype(int) - picture(0)[5, 5]).max() < 90, (
        "red is not red: RGB order"
    )


def test_variable_frame_rate_keeps_times_and_frames(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.05, 0.5, 0.501, 2.0, 2.1]
    with open_video(make_clip(tmp_path / "clip.mkv", len(times), times=times)) as video:
        frames = list(video)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-3)
    assert [round((grey_of(frame.image) - 40) / 5) for frame in frames] == list(range(len(times)))


def test_times_start_at_the_first_frame(tmp_path: Path) -> None:
    with open_video(make_clip(tmp_path / "clip.mkv", 3, times=[5.0, 5.1, 5.3])) as video:
        assert [frame.time for frame in video] == pytest.approx([0, 0.1, 0.3], abs=1e-3)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((0, 1, -1, 0), np.rot90(picture(0), -1)),
        ((-1, 0, 0, -1), np.rot90(picture(0), 2)),
        ((0, -1, 1, 0), np.rot90(picture(0), 1)),
        ((-1, 0, 0, 1), picture(0)[:, ::-1]),
    ],
    ids=["90 clockwise", "180", "90 counter-clockwise", "mirrored"],
)
def test_display_matrix_is_honoured(tmp_path: Path, matrix: tuple[int, ...], expected: np.ndarray) -> None:
    path = make_clip(tmp_path / "clip.mp4", 2)
    set_display_matrix(path, *matrix)
    with open_video(path) as video:
        image = next(iter(video)).image
        assert video.size == expected.shape[:2] == image.shape[:2]
    assert np.abs(image.astype(int) - expected).mean() < 6


def test_iterating_again_starts_again(tmp_path: Path) -> None:
    with open_video(make_clip(tmp_path / "clip.mp4", 5)) as video:
        for frame in video:
            if frame.index == 2:
                break
        assert [frame.index for frame in video] == [0, 1, 2, 3, 4]


def test_it_streams(tmp_path: Path) -> None:
    """A frame is handed out before the file was read: damage behind it is not known yet."""
    path = make_clip(tmp_path / "clip.mov", 20, codec="mjpeg", pixels="yuvj420p")
    damage_packet(path, 15)
    with open_video(path) as video:
        frames = iter(video)
        for _ in range(10):
            next(frames)
        assert video.failures == []
        assert len(list(frames)) == 10 and len(video.failures) == 1


def test_no_frame_stays_in_memory(tmp_path: Path) -> None:
    """Frames must go when they are done with, not when Python's cycle collector happens to run."""
    path = make_clip(tmp_path / "clip.mp4", 30)
    gc.collect()
    gc.disable()
    before = sum(type(item) is av.VideoFrame for item in gc.get_objects())  # of readers that others left open
    try:
        with open_video(path) as video:
            frames = iter(video)
            for _ in range(29):
                next(frames)
            alive = sum(type(item) is av.VideoFrame for item in gc.get_objects()) - before
        assert alive <= 10, "29 when each frame refers to itself"
    finally:
        gc.enable()


def test_opening_again_and_again_leaves_no_picture(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", 3)
    gc.collect()
    gc.disable()
    try:
        for _ in range(4):
            with open_video(path) as video:
                next(iter(video))
        sizes = [(item.height, item.width) for item in gc.get_objects() if type(item) is av.VideoFrame]
        assert SIZE not in sizes, sizes
    finally:
        gc.enable()


def test_a_damaged_frame_leaves_a_hole_in_its_place(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mov", 20, codec="mjpeg", pixels="yuvj420p")
    damage_packet(path, 7)
    with open_video(path) as video:
        frames = list(video)
    assert [frame.index for frame in frames if frame.image is None] == [7]
    assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(20)])
    assert round((grey_of(frames[8].image) - 40) / 5) == 8, "frames behind the hole have moved"
    assert len(video.failures) == 1 and str(video.failures[0]).startswith("frame 7 could not be decoded")


def test_a_damaged_key_frame_loses_its_group_but_no_place(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", 40)
    time = damage_packet(path, 20)
    with open_video(path) as video:
        frames = list(video)
    holes = [frame.index for frame in frames if frame.image is None]
    assert len(frames) == 40 and holes and len(video.failures) == len(holes)
    assert round(time * 25) in holes
    last = frames[-1]
    assert last.index == 39 and round((grey_of(last.image) - 40) / 5) == 39


def test_a_half_damaged_frame_is_shown_and_reported(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", 20)
    damage_packet(path, 0, keep=400)
    with open_video(path) as video:
        frames = list(video)
    assert len(frames) == 20
    assert any("damaged" in str(failure) for failure in video.failures)


def test_truncated_mp4_gives_what_it_holds(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", 40)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with open_video(path) as video:
        frames = list(video)
    assert 5 < sum(frame.image is not None for frame in frames) < 39
    assert f"ends after {len(frames)} of about 40 frames" in str(video.failures[-1])


def test_truncated_webm_gives_what_it_holds(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.webm", 40, codec="libvpx-vp9")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with open_video(path) as video:
        assert 5 < len(list(video)) < 39
        assert "cut off or damaged" in str(video.failures[-1])


def test_mp4_without_its_index_is_explained(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", 40, index_first=False)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(VideoError, match=r"clip.mp4 is an MP4/MOV whose index \(the moov atom\) is missing"):
        open_video(path)


def test_missing_file() -> None:
    with pytest.raises(VideoError, match=r"nowhere/clip.mp4 does not exist; expected a video file, a folder"):
        open_video("nowhere/clip.mp4")


@pytest.mark.parametrize(
    ("name", "content"),
    [("clip.mp4", b"not a video at all\n" * 9), ("notes.txt", b"hello\n"), ("x.webm", b"\x1aE")],
)
def test_not_a_video(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VideoError, match=f"{name} is not a readable video; expected mp4"):
        open_video(tmp_path / name)


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(VideoError, match=r"clip.mp4 is empty \(0 bytes\)"):
        open_video(tmp_path / "clip.mp4")


def test_zero_frames(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mov", 2, codec="mjpeg", pixels="yuvj420p")
    for which in (0, 1):
        damage_packet(path, which)
    with pytest.raises(VideoError, match="contains no frame that can be decoded"):
        open_video(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    import wave

    with wave.open(str(tmp_path / "clip.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    with pytest.raises(VideoError, match="has no video track"):
        open_video(tmp_path / "clip.wav")


class TestWithoutPyAV:
    """The same files through OpenCV."""

    @pytest.fixture(autouse=True)
    def _no_pyav(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "limpet.video.pyav_reader", None)

    def test_fallback_is_chosen_and_agrees(self, tmp_path: Path) -> None:
        path = make_clip(tmp_path / "clip.mp4", 12)
        set_display_matrix(path, 0, 1, -1, 0)
        with open_video(path) as video, PyAVReader(path) as reference:
            assert isinstance(video, OpenCVReader)
            assert (video.size, video.frame_rate, video.frame_count) == ((64, 48), Fraction(25), 12)
            pairs = list(zip(video, reference, strict=True))
        assert video.failures == []
        for ours, theirs in pairs:
            assert ours.index == theirs.index and ours.time == pytest.approx(theirs.time, abs=1e-3)
            assert np.abs(ours.image.astype(int) - theirs.image).mean() < 3

    def test_variable_frame_rate(self, tmp_path: Path) -> None:
        times = [0.0, 0.04, 0.05, 0.5, 0.501, 2.0]
        with open_video(make_clip(tmp_path / "clip.mkv", len(times), times=times)) as video:
            assert [frame.time for frame in video] == pytest.approx(times, abs=2e-3)

    def test_not_a_video(self, tmp_path: Path) -> None:
        (tmp_path / "clip.mp4").write_bytes(b"not a video at all\n" * 9)
        with pytest.raises(VideoError, match="is not a readable video"):
            open_video(tmp_path / "clip.mp4")

    def test_truncated(self, tmp_path: Path) -> None:
        path = make_clip(tmp_path / "clip.mp4", 40)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 6 // 10])
        with open_video(path) as video:
            assert 5 < len(list(video)) < 39
            assert "of 40 frames: cut off or damaged" in str(video.failures[-1])


def test_an_empty_name_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VideoError, match="the name of the video is empty"):
        open_video("")
