"""Frames from the middle of a video are the very frames that reading from its start gives."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from limpet.video.open import open_video
from limpet.video.opencv_reader import OpenCVReader
from limpet.video.packet_index import PacketIndex
from limpet.video.pyav_reader import PyAVReader
from limpet.video.video_reader import Frame, VideoReader

from .clips import SIZE, damage_packet, make_clip
from .test_cut_off import trimmed

COUNT = 80
NOISE = np.random.default_rng(0).integers(0, 60, (SIZE[0], SIZE[1] + COUNT, 3), dtype=np.uint8)
UNEVEN = [index**2 % 7 + 9 * index for index in range(COUNT)]
"""Milliseconds between frames change all the time."""

KINDS = {
    "closed.mp4": ("libx264", {"g": "10", "bf": "3"}),
    "refresh.mp4": ("libx264", {"g": "20", "x264-params": "intra-refresh=1"}),
    "open.mkv": ("libx264", {"g": "10", "bf": "3", "x264-params": "open-gop=1"}),
    "open_265.mp4": ("libx265", {"x265-params": "keyint=10:min-keyint=10:open-gop=1:log-level=none"}),
    "vp8.webm": ("libvpx", {"g": "10", "deadline": "realtime", "cpu-used": "8"}),
    "vp9.webm": ("libvpx-vp9", {"g": "10", "lag-in-frames": "12", "auto-alt-ref": "1", "cpu-used": "8"}),
    "av1.mp4": ("libsvtav1", {"g": "10", "preset": "12"}),
    "mjpeg.mov": ("mjpeg", {}),
    "mpeg4.mp4": ("mpeg4", {"g": "10"}),
    "broadcast.ts": ("libx264", {"g": "10"}),
    "clip.gif": ("gif", {}),
}
SOUGHT = {"closed.mp4", "open_265.mp4", "vp8.webm", "vp9.webm", "av1.mp4", "mjpeg.mov"}
"""Those in which a place to begin is found once they were read; the others are decoded from the start."""
PIXELS = {"mjpeg": "yuvj420p", "gif": "rgb8"}


def moving(path: Path, codec: str, options: dict[str, str], count: int = COUNT, uneven: bool = False) -> Path:
    """Texture that moves, so that every frame leans on the one before."""
    tick = Fraction(1, 1000)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = SIZE
        stream.pix_fmt, stream.options = PIXELS.get(codec, "yuv420p"), options
        if uneven:
            stream.time_base = stream.codec_context.time_base = tick
        for index in range(count):
            image = np.ascontiguousarray(NOISE[:, index : index + SIZE[1]] + np.uint8(2 * index))
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if uneven:
                frame.pts, frame.time_base = UNEVEN[index], tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def told(frame: Frame) -> tuple[int, float, bytes | None]:
    return frame.index, frame.time, None if frame.image is None else frame.image.tobytes()


def check(reader: VideoReader, places: list[int]) -> None:
    """Frames and failures from each place on are those from the start."""
    frames, ends = [], []
    for frame in reader:
        frames.append(told(frame))
        ends.append(len(reader.failures))
    failures = list(reader.failures)
    for place in places:
        assert [told(frame) for frame in reader.frames_from(place)] == frames[place:], place
        assert reader.failures == failures[ends[min(place, len(ends)) - 1] if place else 0 :], place


def entries(reader: PyAVReader) -> int:
    """How many places to begin were found."""
    index: PacketIndex | None = reader._packets
    return len(index.entries) if index is not None else 0


COARSE = {"broadcast.ts", "clip.gif", "mpeg4.mp4"}
"""Their clocks have no ticks for uneven times."""
CASES = [(name, False) for name in KINDS] + [(name, True) for name in KINDS if name not in COARSE]


@pytest.mark.parametrize(("name", "uneven"), CASES)
def test_frames_are_the_same(tmp_path: Path, name: str, uneven: bool) -> None:
    with PyAVReader(moving(tmp_path / name, *KINDS[name], uneven=uneven)) as reader:
        check(reader, [0, 1, 29, 30, 31, 57, COUNT - 1, COUNT, COUNT + 9])
        assert (entries(reader) > 1) == (name in SOUGHT)


@pytest.mark.parametrize("name", sorted(SOUGHT))
def test_a_quick_look_shows_the_same_frames(tmp_path: Path, name: str) -> None:
    with PyAVReader(moving(tmp_path / name, *KINDS[name], uneven=name == "closed.mp4")) as reader:
        frames = [told(frame) for frame in reader]
        reader._key_frames.clear()  # as if it had not been read
        reader.nearest_seek = True
        for place in (1, 9, 10, 29, 30, 31, 57, COUNT - 2, COUNT - 1, COUNT):
            assert [told(frame) for frame in reader.frames_from(place)] == frames[place:], place


def test_a_quick_look_begins_at_the_nearest_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = moving(tmp_path / "clip.mp4", *KINDS["closed.mp4"])
    with PyAVReader(path) as reader:
        reader.nearest_seek = True
        monkeypatch.setattr(reader, "_decoded", None)
        assert next(iter(reader.frames_from(75))).index == 75, "nothing is decoded from the start"
        assert reader.known_length() == COUNT
        other = reader.twin()
        assert next(iter(other.frames_from(30))).index == 30
        assert [frame.index for frame in reader.frames_from(78)] == [78, 79]
        assert other.failures is not reader.failures and other._packets is reader._packets
        other.close()


def test_a_quick_look_at_a_damaged_file_still_finds_its_frames(tmp_path: Path) -> None:
    path = moving(tmp_path / "clip.mp4", *KINDS["closed.mp4"])
    damage_packet(path, 44)
    with PyAVReader(path) as reader:
        times = [(frame.index, frame.time) for frame in reader]
        reader.nearest_seek = True
        for place in (30, 43, 45, 60):
            assert [(frame.index, frame.time) for frame in reader.frames_from(place)] == times[place:]


def decoded_from(reader: PyAVReader, place: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where decoding began, for frame ``place``: [] when it was the start."""
    import limpet.video.pyav_reader as module

    began = []

    class Noted(module.SeekedDecoding):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            began.append(arguments[3].frame)  # type: ignore[attr-defined]

    monkeypatch.setattr(module, "SeekedDecoding", Noted)
    assert next(iter(reader.frames_from(place))).index == place
    reader.close()
    return began


def test_what_is_far_away_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with PyAVReader(moving(tmp_path / "clip.mp4", "libx264", {"g": "10"})) as reader:
        assert decoded_from(reader, 75, monkeypatch) == [50], (
            "a group more than needed, and 16 frames at least"
        )
        assert decoded_from(reader, 25, monkeypatch) == [0]


def test_h265_is_sought_only_where_it_was_read_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its decoder silently loses frames, so that only decoding shows which frame is where."""
    with PyAVReader(moving(tmp_path / "clip.mp4", *KINDS["open_265.mp4"])) as reader:
        assert decoded_from(reader, 75, monkeypatch) == []
        assert decoded_from(reader, 75, monkeypatch) != []


@pytest.mark.parametrize("name", ["closed.mp4", "open_265.mp4", "vp9.webm", "mjpeg.mov"])
@pytest.mark.parametrize("keep", [0, 12], ids=["whole", "part"])
@pytest.mark.parametrize("which", [3, 30, 44])
def test_damage_is_met_the_same_way(tmp_path: Path, name: str, keep: int, which: int) -> None:
    path = moving(tmp_path / name, *KINDS[name])
    damage_packet(path, which, keep=keep)
    with PyAVReader(path) as reader:
        check(reader, [1, 29, 43, 45, 60, 79])


@pytest.mark.parametrize("name", ["closed.mp4", "open.mkv"])
def test_a_file_that_was_cut_off(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    moving(tmp_path / "whole.mkv", *KINDS[name])
    with av.open(str(tmp_path / "whole.mkv")) as old, av.open(str(path), "w", options=options) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 7 // 10])
    with PyAVReader(path) as reader:
        check(reader, [1, 20, 45, 60])


def test_a_video_that_was_trimmed(tmp_path: Path) -> None:
    source = moving(tmp_path / "source.mp4", "libx264", {"g": "10"})
    with PyAVReader(trimmed(source, tmp_path / "trimmed.mp4", 6)) as reader:
        check(reader, [1, 30, 55, 70])
        assert entries(reader) > 1


def test_times_that_jump_back_are_read_from_the_start(tmp_path: Path) -> None:
    """A table by time stamps would put such frames in another order."""
    path = moving(tmp_path / "clip.mkv", "mjpeg", {})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][40]
    data[packet.pos + 2 : packet.pos + 4] = b"\x00\x07"  # the time of its block, counted from its cluster's
    path.write_bytes(data)
    with PyAVReader(path) as reader:
        check(reader, [30, 39, 40, 41, 60])


def test_images_are_taken_directly(tmp_path: Path) -> None:
    for index in range(6):
        Image.fromarray(np.full((4, 5, 3), index, np.uint8)).save(tmp_path / f"{index}.png")
    (tmp_path / "3.png").write_bytes(b"torn")
    with open_video(tmp_path) as reader:
        check(reader, [0, 1, 3, 4, 6])
        assert [frame.index for frame in reader.frames_from(4)] == [4, 5] and reader.failures == []


def test_readers_without_a_way_of_their_own_skip(tmp_path: Path) -> None:
    with OpenCVReader(make_clip(tmp_path / "clip.mp4", 12)) as reader:
        check(reader, [0, 5, 11, 12])


def test_a_negative_frame_is_refused(tmp_path: Path) -> None:
    with (
        open_video(make_clip(tmp_path / "clip.mp4", 3)) as reader,
        pytest.raises(ValueError, match="index is -1; frames are counted from 0"),
    ):
        reader.frames_from(-1)
