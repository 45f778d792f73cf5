"""A server over a project of ten small frames, asked without a network."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from limpet.core.masks import encode_mask
from limpet.project import Project
from limpet.serve.app import make_app
from limpet.serve.guard import TOKEN_HEADER
from limpet.serve.workbench import ServeConfig, Workbench

SIZE = (12, 16)
COUNT = 10
TOKEN = "the-token-of-the-tests"
ADDRESS = "http://127.0.0.1:8765"


def make_video(folder: Path, count: int = COUNT) -> Path:
    """A folder of PNGs; frame k is grey of level 10 k."""
    folder.mkdir(parents=True)
    for index in range(count):
        Image.fromarray(np.full((*SIZE, 3), 10 * index, np.uint8)).save(folder / f"{index:04d}.png")
    return folder


def box(object_id: int, left: int, width: int = 3) -> np.ndarray:
    """uint8 (H, W): one object as columns from ``left`` on."""
    mask = np.zeros(SIZE, np.uint8)
    mask[2:10, left : left + width] = object_id
    return mask


def as_text(mask: np.ndarray) -> str:
    """A mask as base64 PNG."""
    return base64.b64encode(encode_mask(mask)).decode()


@dataclass
class Page:
    """What a page can ask. Each answer is JSON; an error fails the test unless its status is expected."""

    client: TestClient
    bench: Workbench
    folder: Path

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.json()

    def bytes(self, path: str) -> bytes:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.content

    def post(self, path: str, content: Any = None, status: int = 200) -> Any:
        answer = self.client.post(f"/api/{path}", json={} if content is None else content)
        assert answer.status_code == status, answer.text
        return answer.json()

    def refused(self, path: str, content: Any, status: int = 400) -> str:
        return str(self.post(path, content, status)["error"])

    def mask(self, frame: int) -> bytes | None:
        """The bytes of a mask as the page gets them."""
        name = self.get(f"/api/masks?from={frame}&to={frame}")["masks"][str(frame)]
        return None if name is None else self.bytes(f"/mask/{name}.png")

    def wait(self) -> None:
        """Until no propagation runs."""
        job = self.bench.background._running
        assert job is None or job.ended.wait(60)

    def events(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
        """What pages are told from now on."""
        told: list[tuple[str, dict[str, Any]]] = []
        monkeypatch.setattr(self.bench.hub, "publish", lambda event, data: told.append((event, data)))
        return told

    def pixels(self, frame: int, height: str = "") -> np.ndarray:
        video = self.get("/api/state")["project"]["video"]["id"]
        data = self.bytes(f"/frame/{video}/{frame}{height}")
        return np.array(Image.open(io.BytesIO(data)))


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    make_video(tmp_path / "clip")
    worker = [sys.executable, str(Path(__file__).with_name("tiny_worker.py"))]
    bench = Workbench(ServeConfig(roots=(tmp_path,), model="quick"), worker)
    Project.create(tmp_path / "job", tmp_path / "clip")
    bench.open(tmp_path / "job")
    with TestClient(
        make_app(bench, TOKEN), base_url=ADDRESS, headers={TOKEN_HEADER: TOKEN}, raise_server_exceptions=False
    ) as client:
        yield Page(client, bench, tmp_path / "job")
