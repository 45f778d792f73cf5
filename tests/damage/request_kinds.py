"""Requests to ``limpet serve``, as they come from the network: method, headers and body, damaged like any file."""

from __future__ import annotations

import asyncio
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from serve.conftest import SIZE, TOKEN, as_text, box, make_video

from limpet.core.errors import LimpetError
from limpet.project import Project
from limpet.serve.app import make_app
from limpet.serve.guard import TOKEN_HEADER
from limpet.serve.workbench import ServeConfig, Workbench

from .kind import Kind

RENEWED = 200
"""Requests after which the project is made anew: they edit it."""
_BOUNDARY = "of-the-form"


class Server:
    """The application over a project of ten small frames, asked without a network."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._asked = 0
        self._renew()

    def ask(self, data: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer; (0, b"") for what no server would pass on."""
        if self._asked == RENEWED:
            self._renew()
        self._asked += 1
        scope, body = _scope_of(data)
        if scope is None or scope["path"].startswith("/api/events"):  # which has no end
            return 0, b""
        pieces = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return pieces.pop() if pieces else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        try:
            self._loop.run_until_complete(self._app(scope, receive, send))
        except Exception:
            if not sent:
                raise
        status = int(sent[0]["status"]) if sent else 0
        return status, b"".join(message.get("body", b"") for message in sent[1:])

    def end(self) -> None:
        """End its threads and remove its folder."""
        self._bench.end()
        self._loop.close()
        self._folder.cleanup()

    def _renew(self) -> None:
        if self._asked:
            self._bench.end()
        self._asked = 0
        self._folder = tempfile.TemporaryDirectory()
        root = Path(self._folder.name)
        make_video(root / "clip")
        project = Project.create(root / "job", root / "clip")
        project.add(0, box(1, 2), {1: "cat"})
        project.add(1, box(2, 8))
        self._bench = Workbench(ServeConfig(roots=(root,), model="quick"), ["true"])
        self._bench.open(root / "job")
        self._app = make_app(self._bench, TOKEN)


def _scope_of(data: bytes) -> tuple[dict[str, Any] | None, bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    words = line.split(b" ")
    if len(words) != 2 or not words[0].isascii():
        return None, body
    path, _, query = words[1].partition(b"?")
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (h.partition(b":") for h in lines)]
    text = unquote(path.decode("latin-1"), errors="replace")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": words[0].decode("latin-1"),
        "scheme": "http", "path": text, "raw_path": path, "query_string": query, "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8765), "root_path": "",
    }  # fmt: skip
    return scope, body


@cache
def _server() -> Server:
    return Server()


def _read(folder: Path) -> Any:
    head, body = (_bytes_of(folder / name) for name in ("head.http", "body.json"))
    status, answer = _server().ask(head + b"\r\n\r\n" + body)
    if status >= 500:
        raise AssertionError(f"status {status}: {answer[:300]!r}")
    if status >= 400:
        raise LimpetError(json.loads(answer)["error"] if answer else f"status {status}")
    return status


def _bytes_of(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _request(
    first: str, body: bytes = b"", kind: str = "application/json", damaged: str = "head.http"
) -> Kind:
    head = "\r\n".join(
        [first, "Host: 127.0.0.1:8765", f"{TOKEN_HEADER}: {TOKEN}", f"Content-Type: {kind}"]
    ).encode()

    def make(folder: Path) -> None:
        (folder / "head.http").write_bytes(head)
        (folder / "body.json").write_bytes(body)

    return Kind(make, damaged, _read)


def _command(address: str, /, **content: Any) -> Kind:
    return _request(f"POST /api/{address}", json.dumps(content).encode(), damaged="body.json")


_FORM = (
    f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="video"; filename="../a b.png"\r\n'
    f"Content-Type: image/png\r\n\r\nno video\r\n--{_BOUNDARY}--\r\n"
)
_MASK = as_text(box(1, 4))
REQUESTS = {
    "request, add": _command("object/add", frame=2, name="dog", color="#1e90ff", mask=_MASK),
    "request, correct": _command("correct", frame=0, objects=[1], mask=_MASK),
    "request, change": _command("object/change", id=1, name="hen", color="#ff0000"),
    "request, lock": _command("lock", first=0, last=1),
    "request, open": _command("open", path="clip"),
    "request, box": _command("segment/box", frame=1, box=[2, 2, 10, 9]),
    "request, livewire": _command(
        "segment/livewire/anchor", frame=1, point=[3, 3], box=[0, 0, SIZE[1], SIZE[0]]
    ),
    "request, propagate": _command("propagate", mode="between", start=0, stop=1, objects=[1]),
    "request, masks": _request("GET /api/masks?from=0&to=9"),
    "request, state": _request("GET /api/state"),
    "request, page": _request("GET /core/api.js"),
    "request, upload": _request(
        "POST /api/upload", _FORM.encode(), f"multipart/form-data; boundary={_BOUNDARY}", "body.json"
    ),
}
