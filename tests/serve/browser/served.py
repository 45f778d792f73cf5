"""The server as a process of its own, which tests may kill and start again at the same address."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import av
import numpy as np

FRAMES = 24
SIZE = (96, 160)
"""(H, W) of the clip."""
SQUARE = (30, 20, 24)
"""Top, left and side of the red square in frame 0; it moves two pixels to the right per frame."""
_START_SECONDS = 60


def make_clip(path: Path, frames: int = FRAMES) -> None:
    """A red square that moves over a textured ground, as h264."""
    height, width = SIZE
    ground = np.random.default_rng(0).integers(60, 120, (height, width, 3), dtype=np.uint8)
    top, left, side = SQUARE
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=20)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            picture = ground.copy()
            picture[top : top + side, left + 2 * index : left + 2 * index + side] = (220, 40, 40)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode())


class Server:
    """A server in a folder.

    Attributes:
        folder: with ``clip.mp4``; projects are made in it.
        token: of the server that runs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.token = folder, ""
        self._process: subprocess.Popen[str] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def link(self) -> str:
        """What ``limpet serve`` prints, with its token."""
        return f"{self.address}/#token={self.token}"

    def start(self, *projects: str) -> None:
        """Start it and wait until it answers. ``projects``: one to open, or none."""
        script = Path(__file__).with_name("serve_tiny.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(self.folder), str(self.port), *projects],
            env={**os.environ, "OMP_NUM_THREADS": "1"}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert self._process.stdout is not None
        said = []
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            line = self._process.stdout.readline()
            said.append(line)
            if "#token=" in line:
                self.token = line.strip().partition("#token=")[2]
                return
            if not line:
                break
        raise AssertionError(f"the server did not start: {''.join(said)}")

    def stop(self, kill: bool = False) -> None:
        """End it in order, or as a loss of power would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def post(self, path: str, content: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"{self.address}{path}",
            json.dumps(content).encode(),
            {"X-Limpet-Token": self.token, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def new_project(self, name: str) -> Path:
        """Open a new project of the clip, on the server and so in all tabs."""
        self.post("/api/open", {"path": "clip.mp4", "project": name})
        return self.folder / name
