"""Projects, lists of jobs and requests: edited by hand, by other programs, or by somebody who means harm."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from damage.request_kinds import _BOUNDARY, _FORM, _MASK, Server
from damage.results_kinds import RESULTS
from serve.conftest import TOKEN

from limpet.batch.job_list import JobFile
from limpet.batch.job_settings import JobSettings
from limpet.core.errors import LimpetError
from limpet.project import Project
from limpet.serve.guard import TOKEN_HEADER

from .case import Case, as_json, written

Change = Callable[[Path], None]


def _edit(name: str, field: str, value: Any, at: Path) -> None:
    file = sorted(at.glob(name))[0]
    content = json.loads(file.read_text())
    content.pop("crc32", None)
    *above, last = field.split(".")
    place = content
    for key in above:
        place = place[int(key) if isinstance(place, list) else key]
    place[last] = value
    file.write_bytes(as_json(content))


def _replace(name: str, data: bytes | None, at: Path) -> None:
    file = sorted(at.glob(name))[0]
    file.unlink() if data is None else file.write_bytes(data)


def _project(change: Change, folder: Path) -> Path:
    RESULTS["project"].make(folder)
    change(folder / "job")
    return folder / "job"


def _read_project(path: Path) -> str:
    project = Project.open(path)
    masks = 0
    for frame in range(5):
        try:
            masks += project.mask(frame) is not None
        except LimpetError:
            continue
    told = f"; told: {project.problems[0]}" if project.problems else ""
    return f"{masks} masks, {len(project.objects)} objects{told}"


HEAD, HISTORY = "project.json", "history/00004.json"
_EDITS: dict[str, Change] = {
    "whole": lambda at: None,
    "position after its history": partial(_edit, HEAD, "position", 99),
    "position before its history": partial(_edit, HEAD, "position", -1),
    "an earlier position": partial(_edit, HEAD, "position", 2),
    "frames = 10**12": partial(_edit, HEAD, "video.frames", 10**12),
    "frames = -1": partial(_edit, HEAD, "video.frames", -1),
    "frames = 2.5": partial(_edit, HEAD, "video.frames", 2.5),
    "size = [0, 0]": partial(_edit, HEAD, "video.size", [0, 0]),
    "size = [10**9, 10**9]": partial(_edit, HEAD, "video.size", [10**9, 10**9]),
    "a video elsewhere": partial(_edit, HEAD, "video.path", "../../../etc/passwd"),
    "version 99": partial(_edit, HEAD, "version", 99),
    "another format": partial(_edit, HEAD, "format", "x"),
    "edits that are a dictionary": partial(_edit, HEAD, "edits", {}),
    "an edit with markup": partial(_edit, HEAD, "edits.0.what", "<script>alert(1)</script>"),
    "project.json is {": partial(_replace, HEAD, b"{"),
    "project.json is empty": partial(_replace, HEAD, b""),
    "project.json nested 100,000 deep": partial(_replace, HEAD, b"[" * 100_000),
    "project.json is binary": partial(_replace, HEAD, b"\xff\xfe\x00"),
    "project.json is gone": partial(_replace, HEAD, None),
    "its newest history is gone": partial(_replace, HISTORY, None),
    "its newest history is empty": partial(_replace, HISTORY, b""),
    "an object of id 0": partial(_edit, HISTORY, "objects", {"0": "x"}),
    "an object of id 256": partial(_edit, HISTORY, "objects", {"256": "x"}),
    "pages that lead out": partial(_edit, HISTORY, "pages", {"0": "../../etc/passwd"}),
    "locked backwards": partial(_edit, HISTORY, "locked", [[3, 1]]),
    "a page is gone": partial(_replace, "pages/*/*.json", None),
    "a page is another": partial(_replace, "pages/*/*.json", b"{}"),
    "a mask is gone": partial(_replace, "masks/*/*.png", None),
    "a mask is empty": partial(_replace, "masks/*/*.png", b""),
    "no pages": lambda at: shutil.rmtree(at / "pages"),
    "no history": lambda at: shutil.rmtree(at / "history"),
}

_LISTS: dict[str, tuple[str, str | bytes]] = {
    "CSV": ("jobs.csv", "video,mask,name\na.mp4,a.png,one\n"),
    "CSV, empty": ("jobs.csv", ""),
    "CSV, no such column": ("jobs.csv", "video,mask,sise\na.mp4,a.png,3\n"),
    "CSV, too many values": ("jobs.csv", "video,mask\na.mp4,a.png,3\n"),
    "CSV, no mask": ("jobs.csv", "video,mask\na.mp4,\n"),
    "CSV, a name that leads out": ("jobs.csv", "video,mask,name\na.mp4,a.png,../../x\n"),
    "CSV, a name with control characters": ("jobs.csv", "video,mask,name\na.mp4,a.png,\x1b[2J\n"),
    "CSV, an open quote": ("jobs.csv", 'video,mask\n"a.mp4,a.png\n'),
    "CSV, zero bytes": ("jobs.csv", b"video,mask\na\0.mp4,a.png\n"),
    "CSV, in Latin-1": ("jobs.csv", b"video,mask\n\xe4.mp4,a.png\n"),
    "CSV, a size that is no number": ("jobs.csv", "video,mask,max_size\na.mp4,a.png,big\n"),
    "CSV, a program": ("jobs.csv", "video,mask\n$(reboot).mp4,;rm -rf x\n"),
    "JSON lines": ("jobs.jsonl", '{"video": "a.mp4", "mask": "a.png"}\n'),
    "JSON lines, a list": ("jobs.jsonl", "[1]\n"),
    "JSON lines, no JSON": ("jobs.jsonl", "hello\n"),
    "JSON lines, deep": ("jobs.jsonl", "[" * 100_000),
    "JSON lines, another type": ("jobs.jsonl", '{"video": 7, "mask": "a.png"}\n'),
    "JSON lines, NaN": ("jobs.jsonl", '{"video": "a.mp4", "mask": "a.png", "max_seconds": NaN}\n'),
}


def _read_list(path: Path) -> str:
    jobs = list(JobFile(path, JobSettings()))
    return f"{len(jobs)} jobs{f', the first is {jobs[0].name}' if jobs else ''}"


@cache
def _server() -> Server:
    """One for all of these requests, which change little, and for no others."""
    return Server()


def _ask(path: Path) -> str:
    status, answer = _server().ask(path.read_bytes())
    if status >= 400:
        raise LimpetError(f"{status} {json.loads(answer)['error'] if answer else ''}")
    return f"answered with {status}"


def _request(
    first: str, body: str | bytes = "", host: str = "127.0.0.1:8765", token: str = TOKEN, **more: str
) -> bytes:
    heads = {"Host": host, TOKEN_HEADER: token, "Content-Type": "application/json", **more}
    lines = [first, *(f"{name.replace('_', '-')}: {value}" for name, value in heads.items())]
    return (
        "\r\n".join(lines).encode()
        + b"\r\n\r\n"
        + (body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))
    )


_FORMS = f"multipart/form-data; boundary={_BOUNDARY}"
_REQUESTS: dict[str, bytes] = {
    "the state": _request("GET /api/state"),
    "no token": _request("GET /api/state", token=""),
    "another token": _request("GET /api/state", token="x"),
    "another host": _request("GET /api/state", host="evil.example"),
    "another origin": _request("GET /api/state", Origin="http://evil.example"),
    "another kind of body": _request("POST /api/undo", "{}", **{"Content-Type": "text/plain"}),
    "a page outside": _request("GET /../../../etc/passwd"),
    "a page outside, encoded": _request("GET /%2e%2e/%2e%2e/etc/passwd"),
    "a mask outside": _request("GET /mask/..%2f..%2fproject.json.png"),
    "a frame of -1": _request("GET /frame/x/-1"),
    "frames from a billion": _request("GET /api/masks?from=1000000000&to=2000000000"),
    "frames from nowhere": _request("GET /api/masks?from=x&to=y"),
    "no JSON": _request("POST /api/undo", "{"),
    "JSON, a list": _request("POST /api/undo", "[]"),
    "JSON, nested 100,000 deep": _request("POST /api/undo", "[" * 100_000),
    "JSON, NaN": _request("POST /api/segment/box", '{"frame": 0, "box": [NaN, 0, 1, 1]}'),
    "a frame that is none": _request(
        "POST /api/correct", f'{{"frame": 99, "objects": [1], "mask": "{_MASK}"}}'
    ),
    "an object that is none": _request(
        "POST /api/correct", f'{{"frame": 0, "objects": [9], "mask": "{_MASK}"}}'
    ),
    "a mask that is no PNG": _request("POST /api/object/add", '{"frame": 0, "mask": "aGVsbG8="}'),
    "a mask that is no base64": _request("POST /api/object/add", '{"frame": 0, "mask": "***"}'),
    "a name with control characters": _request("POST /api/object/change", '{"id": 1, "name": "\\u001b[2J"}'),
    "a name of half a letter": _request("POST /api/object/change", '{"id": 1, "name": "\\ud800"}'),
    "a name with markup": _request(
        "POST /api/object/change", '{"id": 1, "name": "<script>alert(1)</script>"}'
    ),
    "a colour with markup": _request("POST /api/object/change", '{"id": 1, "color": "red;}</style>"}'),
    "a folder outside": _request("POST /api/open", '{"path": "/etc"}'),
    "a folder outside, relative": _request("POST /api/open", '{"path": "../../../../etc"}'),
    "a path with a zero byte": _request("POST /api/open", '{"path": "a\\u0000b"}'),
    "an upload that is no video": _request("POST /api/upload", _FORM, **{"Content-Type": _FORMS}),
    "an upload without boundary": _request(
        "POST /api/upload", _FORM, **{"Content-Type": "multipart/form-data"}
    ),
    "an upload that is cut off": _request("POST /api/upload", _FORM[:60], **{"Content-Type": _FORMS}),
    "an export of the unknown": _request("POST /api/export", '{"what": "../x"}'),
    "a download that is none": _request("GET /api/download/..%2f..%2fx"),
    "an address that is no text": _request("GET /none?f@om=0").replace(b"@", b"\xff"),
    "another method": _request("DELETE /api/state"),
}


def cases() -> Iterator[Case]:
    """All projects, lists and requests."""
    for name, change in _EDITS.items():
        yield Case("Projects", name, partial(_project, change), _read_project)
    for name, (file, data) in _LISTS.items():
        yield Case("Lists of jobs", name, written(file, data), _read_list)
    for name, request in _REQUESTS.items():
        yield Case("Requests to limpet serve", name, written("request.http", request), _ask)
