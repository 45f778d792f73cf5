"""Frames of video files: exact in any order, from any thread, with bounded memory, and what happens at the ends."""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import VideoError
from limpet.serve import frame_server
from limpet.serve.frame_server import RGB, FrameServer
from limpet.video.open import open_video
from limpet.video.video_reader import VideoReader

COUNT, SIZE = 90, (48, 64)


def write(path: Path, codec: str, **options: str) -> Path:
    """Frame k has a white bar of k // 10 + 1 columns and one of k % 10 + 1 rows, which say its number."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "rgb8" if codec == "gif" else "yuv420p"
        stream.options = options
        for index in range(COUNT):
            picture = np.zeros((*SIZE, 3), np.uint8)
            picture[:4, : 4 * (index // 10 + 1)] = picture[8 : 8 + 4 * (index % 10 + 1), :4] = 255
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode(None))
    return path


def number(image: np.ndarray) -> int:
    """Which frame it is."""
    tens = round(float((image[1:3, :, 1] > 128).sum()) / 8) - 1
    return 10 * tens + round(float((image[8:, 1:3, 1] > 128).sum()) / 8) - 1


def look(server: FrameServer, index: int, height: int | None = None) -> np.ndarray:
    data = server.jpeg(index, height).result(100)
    assert isinstance(data, bytes)
    return np.array(Image.open(io.BytesIO(data)))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    return write(folder / "clip.mp4", "libx264", g="20", bf="3")


class Opened:
    """Counts how many readers were opened in a row for single frames."""

    def __init__(self, path: Path) -> None:
        self.path, self.sought = path, []  # type: ignore[var-annotated]

    def __call__(self) -> VideoReader:
        reader = open_video(self.path)
        noted, frames_from = self.sought, type(reader).frames_from
        sub = type("Noted", (type(reader),), {})

        def noting(self: VideoReader, index: int) -> object:
            noted.append(index)
            return frames_from(self, index)

        sub.frames_from = noting  # type: ignore[attr-defined]
        reader.__class__ = sub
        return reader


@pytest.fixture
def opened(clip: Path) -> Opened:
    return Opened(clip)


@pytest.fixture
def server(opened: Opened) -> Iterator[FrameServer]:
    server = FrameServer(opened)
    yield server
    server.close()


def test_frames_are_exact_in_any_order(server: FrameServer) -> None:
    order = random.Random(0).sample(range(COUNT), 40)
    assert [number(look(server, index)) for index in order] == order
    assert [number(server.image(index)) for index in (88, 3, 4)] == [88, 3, 4]
    assert look(server, 5, 24).shape == (24, 32, 3) and look(server, 5, 480).shape == (*SIZE, 3)


@pytest.mark.parametrize(
    ("name", "codec"), [("clip.gif", "gif"), ("clip.ts", "libx264"), ("clip.webm", "libvpx")]
)
def test_files_of_other_kinds(tmp_path: Path, name: str, codec: str) -> None:
    """Also those in which frames can only be found by decoding all before."""
    options = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx" else {}
    path = write(tmp_path / name, codec, **options)
    server = FrameServer(lambda: open_video(path))
    assert [number(look(server, index)) for index in (70, 2, 71, 40)] == [70, 2, 71, 40]
    with pytest.raises(VideoError, match="the video has no frame 95: it has 90 frames, counted from 0"):
        look(server, 95)
    assert server.length() == COUNT, "its end was met"
    server.close()


def test_many_threads_at_once(server: FrameServer) -> None:
    found: dict[int, int] = {}

    def ask(index: int) -> None:
        found[index] = number(look(server, index))

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(0, COUNT, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {index: index for index in range(0, COUNT, 7)}


def test_going_on_decodes_on_and_going_back_decodes_many_at_once(server: FrameServer, opened: Opened) -> None:
    look(server, 80)
    opened.sought.clear()
    for index in range(81, 90):
        look(server, index)
    assert opened.sought == []
    for index in range(79, 40, -1):
        assert number(look(server, index)) == index
    assert len(opened.sought) == 2 and opened.sought[0] == 79 - frame_server._BACK + 1
    server.image(60)
    assert len(server._cursors) <= 3


def test_jpegs_are_kept_up_to_a_number_of_bytes(clip: Path) -> None:
    server = FrameServer(lambda: open_video(clip), cache_bytes=8000)
    for index in range(0, 60):
        look(server, index)
        assert server._bytes == sum(map(len, server._jpegs.values())) <= 8000
    assert 2 < len(server._jpegs) < 30
    kept = next(reversed(server._jpegs))
    assert server.jpeg(*kept).done(), "it is there at once"
    server.close()


def test_what_nobody_waits_for_is_not_decoded(clip: Path) -> None:
    gate = threading.Event()

    def late() -> VideoReader:
        gate.wait(30)
        return open_video(clip)

    server = FrameServer(late)
    unwanted, wanted = server.jpeg(80), server.jpeg(10)
    assert unwanted.cancel()
    gate.set()
    assert wanted.result(30)
    assert not [key for key in server._jpegs if key[0] > 10]
    with pytest.raises(CancelledError):
        unwanted.result(0)
    server.close()


def test_a_jump_and_what_is_fetched_ahead_of_it_are_one_seek(server: FrameServer, opened: Opened) -> None:
    server.length()
    order: list[int] = []
    with server._changed:  # nothing is begun meanwhile
        given_up = server.jpeg(68)
        asked = [server.jpeg(index) for index in (70, 71, 72)]  # the frame itself, then what comes after it
        for index, future in enumerate(asked, 70):
            future.add_done_callback(lambda _, index=index: order.append(index))
        assert given_up.cancel()
    assert all(future.result(30) for future in asked)
    assert order == [70, 71, 72] and opened.sought == [70]


def test_the_ends(server: FrameServer) -> None:
    assert server.length() == COUNT
    assert number(look(server, COUNT - 1)) == COUNT - 1 and server.counted == COUNT
    for index in (-1, COUNT, 10**9):
        with pytest.raises(VideoError, match=f"the video has no frame {index}: it has {COUNT} frames"):
            look(server, index)
    server.close()
    with pytest.raises(VideoError, match="the video was closed; open it again"):
        look(server, 50)


def test_a_video_that_cannot_be_opened_says_so_each_time(tmp_path: Path) -> None:
    server = FrameServer(lambda: open_video(tmp_path / "none.mp4"))
    for index in (0, 1):
        with pytest.raises(VideoError, match="does not exist"):
            server.jpeg(index, RGB).result(30)
    assert server.opened.is_set()
    server.close()
