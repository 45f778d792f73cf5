"""The h264 writer: sizes, times, colours, and what remains when it is cut off."""

from __future__ import annotations

import shutil
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from limpet.video.encode import SEGMENT_FRAMES, EncoderMissingError, H264Writer, defragment
from limpet.video.open import open_video

from .clips import grey_of, picture


def write(path: Path, count: int, size: tuple[int, int], rate: Fraction | None, times: list[float]) -> None:
    writer = H264Writer(path, size, rate)
    for index in range(count):
        writer.write(picture(index % 40, size), times[index])
    writer.close()


@pytest.mark.parametrize(
    ("size", "stored"),
    [((48, 64), (48, 64)), ((47, 65), (48, 66)), ((30, 2400), (24, 1920)), ((2400, 31), (1920, 26))],
)
def test_sizes_are_even_and_bounded(tmp_path: Path, size: tuple[int, int], stored: tuple[int, int]) -> None:
    write(tmp_path / "v.mp4", 2, size, Fraction(25), [0, 0.04])
    with open_video(tmp_path / "v.mp4") as video:
        assert video.size == stored and len(list(video)) == 2


def test_codec_and_colours(tmp_path: Path) -> None:
    write(tmp_path / "v.mp4", 3, (60, 90), Fraction(25), [0, 0.04, 0.08])
    with av.open(str(tmp_path / "v.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
    with open_video(tmp_path / "v.mp4") as video:
        image = next(iter(video)).image
    for place in ((8, 8), (8, 85), (50, 50)):
        assert np.abs(image[place].astype(int) - picture(0, (60, 90))[place]).max() < 12


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(5, 2)])
def test_constant_rate_is_exact(tmp_path: Path, rate: Fraction) -> None:
    times = [float(index / rate) for index in range(30)]
    write(tmp_path / "v.mp4", 30, (48, 64), rate, times)
    with open_video(tmp_path / "v.mp4") as video:
        assert video.frame_rate == rate
        assert [frame.time for frame in video] == pytest.approx(times, abs=1e-6)


def test_variable_rate_is_kept(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.05, 0.5, 0.501, 2.0]
    write(tmp_path / "v.mp4", 6, (48, 64), Fraction(25), times)
    with open_video(tmp_path / "v.mp4") as video:
        frames = list(video)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-4)
    assert [round((grey_of(frame.image) - 40) / 5) for frame in frames] == list(range(6))


def test_times_that_stand_still_lose_no_frame(tmp_path: Path) -> None:
    write(tmp_path / "v.mp4", 5, (48, 64), Fraction(25), [0, 0, 0, 0.1, 0.05])
    with open_video(tmp_path / "v.mp4") as video:
        assert len(list(video)) == 5


def test_a_killed_process_leaves_a_video_that_plays(tmp_path: Path) -> None:
    writer = H264Writer(tmp_path / "v.mp4", (48, 64), Fraction(10))
    for index in range(120):
        writer.write(picture(index % 40), index / 10)
    shutil.copy(tmp_path / "v.mp4", tmp_path / "killed.mp4")
    writer.close()
    with open_video(tmp_path / "killed.mp4") as video:
        assert len(list(video)) >= 80


def test_a_full_disk_is_an_os_error() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    with pytest.raises(OSError, match="No space left"):
        writer = H264Writer(Path("/dev/full"), (480, 640), Fraction(25))
        for index in range(60):
            writer.write(noise, index / 25)
        writer.close()


def test_without_pyav(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(EncoderMissingError, match="PyAV is not installed; install it with: pip install av"):
        H264Writer(tmp_path / "v.mp4", (48, 64))


def test_without_an_h264_encoder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("limpet.video.encode._ENCODERS", {"no_such_encoder": {}})
    with pytest.raises(EncoderMissingError, match=r"has no H\.264 encoder"):
        H264Writer(tmp_path / "v.mp4", (48, 64))


def test_closing_without_a_frame(tmp_path: Path) -> None:
    H264Writer(tmp_path / "v.mp4", (48, 64)).close()
    assert (tmp_path / "v.mp4").exists()


def test_defragment_keeps_every_frame_and_time(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.05, 0.5, 0.501, 2.0]
    write(tmp_path / "fragments.mp4", 6, (48, 64), Fraction(25), times)
    defragment(tmp_path / "fragments.mp4", tmp_path / "whole.mp4")
    data = (tmp_path / "whole.mp4").read_bytes()
    assert b"moof" not in data and data.index(b"moov") < data.index(b"mdat")
    with open_video(tmp_path / "whole.mp4") as whole, open_video(tmp_path / "fragments.mp4") as fragments:
        assert whole.frame_count == 6
        for ours, theirs in zip(whole, fragments, strict=True):
            assert np.array_equal(ours.image, theirs.image) and ours.time == pytest.approx(theirs.time)
        assert (whole.failures, fragments.failures) == ([], [])


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001)])
def test_cut_after_a_piece_and_gone_on_with_it_is_the_same_video(tmp_path: Path, rate: Fraction) -> None:
    count, times = 2 * SEGMENT_FRAMES + 7, [float(index / rate) + index % 3 / 100 for index in range(80)]
    write(tmp_path / "whole.mp4", count, (48, 64), rate, times)
    writer = H264Writer(tmp_path / "cut.mp4", (48, 64), rate)
    for index in range(SEGMENT_FRAMES + 5):
        writer.write(picture(index % 40), times[index])
    done = writer.written
    writer.close()
    assert done.frames == SEGMENT_FRAMES and done.nbytes < (tmp_path / "cut.mp4").stat().st_size
    assert done.crc32 == zlib.crc32((tmp_path / "cut.mp4").read_bytes()[: done.nbytes])
    writer = H264Writer(tmp_path / "cut.mp4", (48, 64), rate, after=done)
    for index in range(SEGMENT_FRAMES, count):
        writer.write(picture(index % 40), times[index])
    writer.close()
    assert (tmp_path / "cut.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert writer.written.frames == count


def test_pieces_play_as_one(tmp_path: Path) -> None:
    count = 2 * SEGMENT_FRAMES + 3
    times = [index / 25 + (3.0 if index > SEGMENT_FRAMES + 2 else 0) for index in range(count)]
    write(tmp_path / "fragments.mp4", count, (48, 64), Fraction(25), times)
    defragment(tmp_path / "fragments.mp4", tmp_path / "whole.mp4")
    for name in ("fragments.mp4", "whole.mp4"):
        with open_video(tmp_path / name) as video:
            frames = list(video)
            assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-4)
            assert [round((grey_of(f.image) - 40) / 5) for f in frames] == [
                index % 40 for index in range(count)
            ]
