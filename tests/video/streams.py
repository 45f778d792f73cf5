"""Sources without hardware: FFmpeg's own test picture as a camera, and a server on this computer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import av
from av.container import InputContainer

from limpet.video.sources import Source

TEST_CAMERA = (48, 64)
"""(H, W) of its frames; 25 a second, without an end."""


class FakeCamera(Source):
    """Gives frames as fast as they are taken, and for ever; noted when let go."""

    name, live = "camera 0", True

    def __init__(self) -> None:
        self.released = threading.Event()

    def open(self) -> InputContainer:
        return av.open(f"testsrc=size={TEST_CAMERA[1]}x{TEST_CAMERA[0]}:rate=25", format="lavfi")

    def release(self) -> None:
        self.released.set()


@contextmanager
def served(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """``host:port`` of a server that answers the first connection so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def work() -> None:
            connection, _ = server.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(20)
