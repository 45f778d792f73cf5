"""Streams: pipes, addresses, cameras. Each is read by a thread, which always ends."""

from __future__ import annotations

import io
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import VideoError
from limpet.video import sources, stream
from limpet.video.pyav_reader import PyAVReader
from limpet.video.sources import Camera, Pipe, PipeInput, camera_device, find_source
from limpet.video.stream import StreamReader

from .clips import SIZE, damage_packet, make_clip
from .streams import TEST_CAMERA, FakeCamera, served
from .test_pyav_reader import moving, told

COUNT = 12
CODECS = {"clip.webm": "libvpx-vp9", "clip.y4m": "rawvideo", "clip.mjpeg": "mjpeg"}


@pytest.fixture(autouse=True)
def _threads_end() -> Iterator[None]:
    before = threading.enumerate()
    yield
    left = [t for t in threading.enumerate() if t.name.startswith("reading ") and t not in before]
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)


def clip(folder: Path, name: str, count: int = COUNT) -> Path:
    codec = CODECS.get(name, "libx264")
    return make_clip(
        folder / name,
        count,
        codec=codec,
        pixels="yuvj420p" if codec == "mjpeg" else "yuv420p",
        index_first=True,
    )


def piped(data: bytes) -> Pipe:
    return Pipe("standard input", PipeInput(io.BytesIO(data)))


@pytest.mark.parametrize("name", ["clip.mkv", "clip.ts", "clip.mp4", *CODECS])
def test_a_pipe_brings_the_frames_of_the_file(tmp_path: Path, name: str) -> None:
    path = clip(tmp_path, name)
    with PyAVReader(path) as file, StreamReader(piped(path.read_bytes())) as reader:
        assert (reader.name, reader.size, reader.live) == ("standard input", SIZE, False)
        assert [told(frame) for frame in reader] == [told(frame) for frame in file]
        assert reader.failures == [] and len(reader.account.latencies) == COUNT
        assert list(reader.account.dropped_before) == [0] * COUNT


def test_a_stream_can_be_read_once(tmp_path: Path) -> None:
    with StreamReader(piped(clip(tmp_path, "clip.mkv").read_bytes())) as reader:
        next(iter(reader))
        with pytest.raises(VideoError, match="standard input is a stream and can be read only once"):
            iter(reader)


def test_dropped_frames_are_counted_and_times_stay_true() -> None:
    camera = FakeCamera()
    with StreamReader(camera) as reader:
        assert (reader.live, reader.account.mode, reader.size) == (True, "drop", TEST_CAMERA)
        frames = iter(reader)
        given = [next(frames) for _ in range(5)]
        source = np.cumsum(np.array(reader.account.dropped_before) + 1) - 1
    assert [frame.index for frame in given] == list(range(5))
    assert [frame.time for frame in given] == pytest.approx([(k - source[0]) / 25 for k in source])
    assert camera.released.wait(5), "the thread has let go of the camera"


def test_blocking_a_camera_loses_nothing() -> None:
    with StreamReader(FakeCamera(), "block") as reader:
        frames = iter(reader)
        assert [next(frames).time for _ in range(5)] == pytest.approx([k / 25 for k in range(5)])
        assert reader.live, "it has no end all the same"


def test_undecodable_frames_are_reported(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mov", 20, codec="mjpeg", pixels="yuvj420p")
    damage_packet(path, 0)
    damage_packet(path, 7)
    with StreamReader(piped(path.read_bytes())) as reader:
        frames = list(reader)
        assert [frame.index for frame in frames if frame.image is None] == [6], (
            "the first frame is a whole one"
        )
        assert [str(failure).split(":")[0] for failure in reader.failures] == [
            "frame 0 could not be decoded", "frame 7 could not be decoded"
        ]  # fmt: skip
    with StreamReader(piped(path.read_bytes()), "drop") as reader:
        assert all(frame.image is not None for frame in reader)
        assert str(reader.failures[0]).startswith("frame 0 of the source could not be decoded")


def test_failures_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_MAX_FAILURES", 2)
    path = make_clip(tmp_path / "clip.mov", 20, codec="mjpeg", pixels="yuvj420p")
    for which in (5, 7, 9, 11):
        damage_packet(path, which)
    with StreamReader(piped(path.read_bytes())) as reader:
        assert len(list(reader)) == 20
    assert [failure.frame for failure in reader.failures[:2]] == [5, 7]
    assert list(map(str, reader.failures[2:])) == ["and 2 more failures of this kind"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", r"no data came through standard input \(0 bytes\)"),
        (
            b"hello\n" * 900,
            "standard input is not a video that can be read while it arrives; expected MPEG-TS",
        ),
    ],
)
def test_no_video_comes(data: bytes, words: str) -> None:
    with pytest.raises(VideoError, match=words):
        StreamReader(piped(data))


def test_an_mp4_that_cannot_be_piped_is_explained(tmp_path: Path) -> None:
    path = moving(tmp_path / "clip.mp4", "mjpeg", {"qmin": "1", "qmax": "1"})
    with pytest.raises(VideoError, match="standard input carries an MP4 whose index comes last"):
        StreamReader(piped(path.read_bytes()))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
class TestNamedPipe:
    @pytest.fixture
    def pipe(self, tmp_path: Path) -> Path:
        os.mkfifo(tmp_path / "pipe")
        return tmp_path / "pipe"

    def test_it_waits_for_who_writes(self, tmp_path: Path, pipe: Path) -> None:
        data = clip(tmp_path, "clip.mkv").read_bytes()
        waiting = threading.Event()

        def write() -> None:
            waiting.wait(20)
            pipe.write_bytes(data)

        thread = threading.Thread(target=write)
        thread.start()
        source = find_source(pipe)
        assert source is not None
        with StreamReader(source, on_wait=waiting.set) as reader:
            assert len(list(reader)) == COUNT and reader.name == "pipe"
        thread.join(20)

    def test_nobody_writes_and_the_waiting_is_ended(self, pipe: Path) -> None:
        def stop() -> None:
            raise KeyboardInterrupt

        source = find_source(pipe)
        assert source is not None
        with pytest.raises(KeyboardInterrupt):
            StreamReader(source, on_wait=stop)


def read_address(address: str, mode: str | None = None) -> StreamReader:
    source = find_source(address)
    assert source is not None
    return StreamReader(source, mode)


def test_an_address(tmp_path: Path) -> None:
    data = clip(tmp_path, "clip.ts").read_bytes()
    with served(lambda to: to.sendall(data)) as host, read_address(f"tcp://{host}") as reader:
        assert len(list(reader)) == COUNT and not reader.live and reader.failures == []


def test_a_connection_that_is_lost(tmp_path: Path) -> None:
    data = clip(tmp_path, "clip.mkv", 40).read_bytes()

    def half(to: socket.socket) -> None:
        to.recv(4096)
        to.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data[: len(data) // 2]
        )

    with served(half) as host, read_address(f"http://{host}/clip.mkv") as reader:
        assert 5 < len(list(reader)) < 40
        assert reader.failures and reader.failures[-1].ends_video


def test_an_address_that_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "TIMEOUT", 0.4)
    done = threading.Event()

    def say_nothing(to: socket.socket) -> None:
        done.wait(20)

    with served(say_nothing) as host, pytest.raises(VideoError, match=f"no data came from tcp://{host} for"):
        try:
            read_address(f"tcp://{host}")
        finally:
            done.set()


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("tcp://127.0.0.1:1", "tcp://127.0.0.1:1 cannot be opened: connection refused; check the address"),
        ("foo://x", "addresses with foo:// cannot be read; expected one of http, https, rtmp"),
        ("file:///etc/passwd", "addresses with file:// cannot be read"),
    ],
)
def test_addresses_that_cannot_be_read(named: str, words: str) -> None:
    with pytest.raises(VideoError, match=words):
        read_address(named)


def test_a_password_is_not_shown() -> None:
    source = find_source("rtsp://me:secret@camera.local:554/live/?token=other")
    assert source is not None and source.name == "rtsp://camera.local:554/live" and source.live


@pytest.mark.parametrize(
    ("platform", "camera", "expected"),
    [
        ("linux", "0", ("v4l2", "/dev/video0")),
        ("linux", "/dev/v4l/by-id/usb-cam", ("v4l2", "/dev/v4l/by-id/usb-cam")),
        ("darwin", "1", ("avfoundation", "1:none")),
        ("win32", "HD Webcam", ("dshow", "video=HD Webcam")),
    ],
)
def test_cameras_by_system(platform: str, camera: str, expected: tuple[str, str]) -> None:
    assert camera_device(camera, platform) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="other systems name cameras in other ways")
def test_a_camera_that_is_not_there() -> None:
    assert isinstance(find_source("camera:97"), Camera)
    with pytest.raises(VideoError, match=r"camera 97 cannot be opened: no such file.*; cameras here: "):
        read_address("camera:97")


def test_files_are_no_streams(tmp_path: Path) -> None:
    for named in (tmp_path, tmp_path / "clip.mp4", "clip.mp4", "frame_%05d.jpg", "C:\\clip.mp4"):
        assert find_source(named) is None


def test_a_terminal_sends_no_video(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(
        VideoError, match=r"nothing is piped into it; for instance: cat clip\.mkv \| limpet track -"
    ):
        find_source("-")


def test_a_mode_that_is_none() -> None:
    with pytest.raises(VideoError, match="mode is 'skip'; expected one of drop, block"):
        StreamReader(FakeCamera(), "skip")
