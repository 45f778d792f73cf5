"""Videos as cameras, editors and servers make them: whole ones are whole, and what is odd about others is told."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import VideoError
from limpet.video.encode import H264Writer
from limpet.video.hdr import HDR_NOTICE
from limpet.video.open import open_source, open_video
from limpet.video.video_reader import FailureKind

from .clips import SIZE, make_clip, picture, set_display_matrix


def read(path: Path) -> tuple[list[float], list[str]]:
    """The times of all frames, and what was told."""
    with open_video(path) as video:
        return [frame.time for frame in video], [str(failure) for failure in video.failures]


def remuxed(source: Path, target: Path, seconds: float = 0.0) -> Path:
    """The same packets, shown so many seconds later, in the container that the name says."""
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(source)) as old, av.open(str(target), "w", options=options) as new:
        stream = new.add_stream_from_template(old.streams.video[0], opaque=True)
        for packet in old.demux(video=0):
            if packet.dts is not None:
                shift = round(seconds / packet.time_base)
                packet.stream, packet.pts, packet.dts = stream, packet.pts + shift, packet.dts + shift
                new.mux(packet)
    return target


def encoded(path: Path, size: tuple[int, int] = SIZE, count: int = 8, **context: Any) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        for index in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index, size), format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", ["mov", "mp4"])
def test_packets_that_an_edit_list_drops_are_not_missing(suffix: str, tmp_path: Path) -> None:
    """Its video begins after the second key frame, so that the demuxer leaves out the first ten packets whole."""
    source = make_clip(tmp_path / "base.mp4", 30)
    times, told = read(remuxed(source, tmp_path / f"neg.{suffix}", -0.5))
    assert 15 <= len(times) <= 18 and told == []


@pytest.mark.parametrize("cut", [30, 300])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_few_bytes_are_missing_at_the_end(cut: int, suffix: str, tmp_path: Path) -> None:
    path = make_clip(tmp_path / f"clip.{suffix}", 30)
    data = path.read_bytes()
    path.write_bytes(data[:-cut])
    times, told = read(path)
    if len(times) == 30 and not told:
        assert suffix == "mkv" and cut == 30, "only its index is missing, no frame"
        return
    assert len(times) < 30
    assert told[-1].startswith(
        f"the video ends after {len(times)} of about 30 frames: the file is cut off or damaged"
    )
    assert told[-1].endswith(f", its last {cut} bytes are missing")


def test_two_recordings_in_one_file_with_clocks_apart(tmp_path: Path) -> None:
    """The overlay would last 17 minutes for 16 frames."""
    one = make_clip(tmp_path / "a.ts", 8).read_bytes()
    other = remuxed(make_clip(tmp_path / "b.mp4", 8), tmp_path / "b.ts", 1000).read_bytes()
    (tmp_path / "both.ts").write_bytes(one + other)
    times, told = read(tmp_path / "both.ts")
    assert times == pytest.approx([0.04 * k for k in range(16)])
    [jump] = told
    assert jump.startswith("frame 8 follows a jump of the clock by ") and jump.endswith(
        "one frame step is used"
    )


def test_the_same_recording_twice(tmp_path: Path) -> None:
    one = make_clip(tmp_path / "a.ts", 8).read_bytes()
    (tmp_path / "twice.ts").write_bytes(one + one)
    times, told = read(tmp_path / "twice.ts")
    assert times == pytest.approx([0.04 * k for k in range(16)]) and len(told) == 1


def test_a_change_of_size_is_told_with_its_frame(tmp_path: Path) -> None:
    one, other = make_clip(tmp_path / "a.ts", 8), encoded(tmp_path / "b.ts", (24, 32))
    (tmp_path / "both.ts").write_bytes(one.read_bytes() + other.read_bytes())
    with open_video(tmp_path / "both.ts") as video:
        frames = list(video)
        sizes = [failure for failure in video.failures if failure.kind is FailureKind.RESIZED]
    assert [failure.frame for failure in sizes] == list(range(8, 16))
    assert str(sizes[0]) == "frame 8 is 24x32 in a video of 48x64; resized"
    assert all(frame.image is not None and frame.image.shape == (*SIZE, 3) for frame in frames)


def test_a_change_of_size_in_vp9(tmp_path: Path) -> None:
    """Streams over the web do so without a new file."""
    path = tmp_path / "change.webm"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=25)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        packets = []
        for size in (SIZE, (24, 32)):
            codec = av.CodecContext.create("libvpx-vp9", "w")
            codec.height, codec.width, codec.pix_fmt, codec.time_base = *size, "yuv420p", Fraction(1, 25)
            for index in range(4):
                frame = av.VideoFrame.from_ndarray(picture(index, size), format="rgb24").reformat(
                    format="yuv420p"
                )
                frame.pts = len(packets) if size == SIZE else 4 + index
                packets += codec.encode(frame)
            packets += codec.encode(None)
        for number, packet in enumerate(packets):
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 25)
            container.mux(packet)
    with open_video(path) as video:
        assert len(list(video)) == 8
        assert [failure.frame for failure in video.failures if failure.kind is FailureKind.RESIZED] == [
            4,
            5,
            6,
            7,
        ]


@pytest.mark.parametrize("turned", [False, True])
def test_the_shape_of_pixels_is_kept(turned: bool, tmp_path: Path) -> None:
    """DV 16:9, DVD, HDV: pixels that are not square."""
    path = encoded(tmp_path / "dv.mp4", sample_aspect_ratio=Fraction(4, 3))
    if turned:
        set_display_matrix(path, 0, 1, -1, 0)
    with open_video(path) as video:
        aspect, size = video.pixel_aspect, video.size
    assert (aspect, size) == ((Fraction(3, 4), SIZE[::-1]) if turned else (Fraction(4, 3), SIZE))
    writer = H264Writer(tmp_path / "overlay.mp4", size, Fraction(25), pixel_aspect=aspect)
    for index in range(3):
        writer.write(picture(index, size), index / 25)
    writer.close()
    with open_video(tmp_path / "overlay.mp4") as overlay:
        assert overlay.pixel_aspect == aspect


@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_is_mapped_and_told(transfer: int, tmp_path: Path) -> None:
    plain = encoded(tmp_path / "plain.mp4")
    path = encoded(tmp_path / "hdr.mp4", color_trc=transfer, color_primaries=9, colorspace=9)
    with open_video(plain) as ordinary, open_video(path) as video:
        before, after = next(iter(ordinary)).image, next(iter(video)).image
        assert ordinary.notices == [] and video.notices == [HDR_NOTICE]
    assert before is not None and after is not None and before.shape == after.shape
    assert not np.array_equal(before, after)


def test_a_link_that_leads_nowhere_is_a_frame_that_cannot_be_read(tmp_path: Path) -> None:
    """Without it every later mask would be one off."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for index in range(4):
        Image.fromarray(picture(index)).save(folder / f"{index}.png")
    (folder / "1.png").unlink()
    (folder / "1.png").symlink_to(tmp_path / "gone.png")
    for source in (folder, folder / "%d.png", folder / "?.png"):
        with open_video(source) as video:
            frames = list(video)
            assert [frame.image is None for frame in frames] == [False, True, False, False]
            assert [failure.frame for failure in video.failures] == [1]


@pytest.mark.parametrize(("highest", "told"), [(4095, True), (65_535, False), (200, False)])
def test_twelve_bits_in_sixteen_are_noted(highest: int, told: bool, tmp_path: Path) -> None:
    ramp = np.linspace(0, highest, SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.uint16)
    (tmp_path / "frames").mkdir()
    for index in range(3):
        Image.fromarray(ramp).save(tmp_path / f"frames/{index}.png")
    with open_video(tmp_path / "frames") as video:
        assert len(list(video)) == 3
        assert [note.startswith("0.png has 16 bits, but its values end at") for note in video.notices] == [
            True
        ] * told


def test_numbers_with_gaps_are_in_the_order_of_their_values(tmp_path: Path) -> None:
    for number in (1, 2, 10, 100):
        Image.fromarray(picture(number % 40)).save(tmp_path / f"a_{number}.png")
    with open_video(tmp_path) as video:
        greys = [int(frame.image[-1, 0, 0]) for frame in video if frame.image is not None]
    assert greys == [int(picture(number % 40)[-1, 0, 0]) for number in (1, 2, 10, 100)]


def test_pictures_beyond_the_limits_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 3)
    (tmp_path / "frames").mkdir()
    Image.fromarray(picture(0)).save(tmp_path / "frames/0.png")
    monkeypatch.setenv("LIMPET_MAX_PIXELS", "3000")
    with pytest.raises(
        VideoError, match=r"has pictures of 48x64; expected sides .* at most 3000 in all \(LIMPET_MAX"
    ):
        open_video(clip)
    with pytest.raises(VideoError, match=r"can be read: 0\.png: it is 48x64; expected"):
        open_video(tmp_path / "frames")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    data = b""
    cut = False


class Answer(BaseHTTPRequestHandler):
    """Without a length: the end of the connection is the end of the video."""

    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.send_response(200)
        if self.server.cut:
            self.send_header("Content-Length", str(2 * len(self.server.data)))
        self.end_headers()
        self.wfile.write(self.server.data)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Answer) as made:
        threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
        yield made
        made.shutdown()


@pytest.mark.parametrize("name", ["a.ts", "a.mkv"])
def test_an_answer_without_a_length_ends_when_it_is_closed(server: Server, name: str, tmp_path: Path) -> None:
    server.data = make_clip(tmp_path / name, 8).read_bytes()
    address = f"http://127.0.0.1:{server.server_address[1]}/video"
    with open_source(address) as video:
        assert len(list(video)) == 8 and video.failures == []
    server.cut = True  # a length that was stated, and not kept
    with open_source(address) as video:
        assert len(list(video)) == 8 and [failure.kind for failure in video.failures] == [FailureKind.STOPPED]
