"""A real server in a real process: killed, started again, and ended with Ctrl-C."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from limpet.core.errors import LimpetError
from limpet.project import Project
from limpet.serve.guard import TOKEN_HEADER
from limpet.serve.run_server import run_server
from limpet.serve.workbench import ServeConfig, Workbench

from .conftest import COUNT, as_text, box, make_video

SERVER = str(Path(__file__).with_name("tiny_server.py"))


class Running:
    """A server and a page of it."""

    def __init__(self, folder: Path, model: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, SERVER, str(folder), model], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        address, _, token = self.process.stdout.readline().strip().partition("/#token=")
        assert address.startswith("http://127.0.0.1:") and len(token) >= 32
        self.client = httpx2.Client(base_url=address, headers={TOKEN_HEADER: token}, timeout=60)

    def post(self, path: str, content: Any = None) -> Any:
        answer = self.client.post(f"/api/{path}", json=content or {})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def state(self) -> Any:
        return self.client.get("/api/state").json()["project"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_video(tmp_path / "clip")
    return Project.create(tmp_path / "job", tmp_path / "clip").path


@contextmanager
def running(folder: Path, model: str = "quick") -> Iterator[Running]:
    server = Running(folder, model)
    try:
        yield server
    finally:
        server.client.close()
        server.process.kill()
        server.process.wait()


def until(condition: Any) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_killed_server_has_lost_nothing_that_was_answered(folder: Path) -> None:
    with running(folder, "slow") as server:
        server.post("object/add", {"frame": 0, "mask": as_text(box(1, 2)), "name": "cat", "color": "#123456"})
        server.post("correct", {"frame": 9, "objects": [1], "mask": as_text(box(1, 9))})
        server.post("propagate", {"mode": "forwards", "start": 0})
        until(lambda: Project.open(folder).mask(2) is not None)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    project = Project.open(folder)
    before = project.mask_bytes(9), project.mask_bytes(0)
    assert None not in before and project.problems == ()
    with running(folder) as server:
        state = server.state()
        assert state["objects"][0] | {"key_frames": []} == {
            "id": 1, "name": "cat", "color": "#123456", "key_frames": [],
        }  # fmt: skip
        assert [edit["kind"] for edit in state["edits"]] == ["add", "correct", "propagate"]
        server.post("propagate")
        until(lambda: server.state()["running"] is None)
    project = Project.open(folder)
    assert (project.mask_bytes(9), project.mask_bytes(0)) == before
    assert all(project.mask(frame) is not None for frame in range(COUNT))


def test_ctrl_c_ends_it_at_once_and_keeps_what_a_propagation_did(folder: Path) -> None:
    with running(folder, "slow") as server:
        server.post("object/add", {"frame": 0, "mask": as_text(box(1, 2))})

        def listen() -> None:
            with server.client.stream("GET", "/api/events") as answer:
                for _ in answer.iter_text():
                    pass

        listener = threading.Thread(target=listen)
        listener.start()
        server.post("propagate")
        until(lambda: Project.open(folder).mask(2) is not None)
        server.process.send_signal(signal.SIGINT)
        output, _ = server.process.communicate(timeout=60)
        listener.join(60)
        assert server.process.returncode == 0 and output == "ended\n"
    project = Project.open(folder)
    done = [frame for frame in range(COUNT) if project.mask(frame) is not None]
    assert 3 <= len(done) < COUNT and not project.edits[-1].complete


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            LimpetError, match=f"127.0.0.1:{port} cannot be listened at .*choose another --port"
        ):
            run_server(Workbench(ServeConfig()), "127.0.0.1", port, lambda listening: None)
