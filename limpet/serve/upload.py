"""POST /api/upload: a video from the browser's machine, streamed to the disk."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from limpet.core.files import output_error, temporary_name
from limpet.serve.reading_routes import workbench_of
from limpet.serve.request_fields import RequestError
from limpet.serve.workbench import Workbench
from limpet.video.open import open_video

UPLOADS = "limpet-uploads"
"""Folder of uploaded videos and their projects, in the first folder that the page may open."""
MAX_PIXELS = 8192 * 4320
_LONGEST_NAME = 100
_MOST_HEADERS = 4096


class Upload:
    """Takes the body of a form in pieces and writes its one file; to be used in ``with``.

    The file has a temporary name until ``keep``; without that nothing remains.

    Args:
        folder: is made.
        boundary: of the form.
    """

    def __init__(self, folder: Path, boundary: bytes) -> None:
        self._folder = folder
        self._headers = b""
        self._name = ""
        self._file: BinaryIO | None = None
        self._temporary: Path | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._header_piece,
                "on_header_value": self._header_value,
                "on_header_end": lambda: self._header_piece(b"\n", 0, 1),
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._part_ends,
            },
        )

    def write(self, data: bytes) -> None:
        """The next piece. Raises RequestError for what is not a form, OutputError if it cannot be written."""
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise RequestError(
                f"the form cannot be read ({error}); send the video as a file of a form"
            ) from error
        except OSError as error:
            raise output_error(error, self._temporary or self._folder) from error

    def keep(self) -> Path:
        """Give the file its name. Raises RequestError if there was no file, or it cannot be shown."""
        if self._temporary is None or self._file is not None:
            raise RequestError("the form has no whole file; send the video as a file of a form")
        with open_video(self._temporary) as reader:
            height, width = reader.size
        if height * width > MAX_PIXELS:
            raise RequestError(f"the video has {width}x{height} pixels; at most {MAX_PIXELS} are taken", 413)
        path = _free(self._folder / self._name)
        self._temporary.replace(path)
        return path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        if self._temporary is not None:
            with suppress(OSError):
                self._temporary.unlink(missing_ok=True)

    def _part_begins(self) -> None:
        self._headers = b""

    def _header_piece(self, data: bytes, start: int, end: int) -> None:
        self._headers += data[start:end]
        if len(self._headers) > _MOST_HEADERS:
            raise RequestError("the headers of the form are too long")

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        if b":" not in self._headers.rsplit(b"\n", 1)[-1]:
            self._headers += b":"
        self._header_piece(data, start, end)

    def _headers_end(self) -> None:
        for line in self._headers.split(b"\n"):
            field, _, value = line.partition(b":")
            options = parse_options_header(value)[1]
            if field.strip().lower() == b"content-disposition" and b"filename" in options:
                self._begin_file(options[b"filename"].decode("utf-8", "replace"))

    def _begin_file(self, name: str) -> None:
        if self._temporary is not None:
            raise RequestError("the form has several files; send one video at a time")
        self._name = safe_name(name)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._temporary = temporary_name(self._folder / self._name)
        self._file = self._temporary.open("xb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])

    def _part_ends(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def safe_name(name: str) -> str:
    """The name of a file without folders and without characters that could mean something.

    >>> safe_name("../../etc/my clip (1).MP4"), safe_name(".."), safe_name("")
    ('my clip _1_.MP4', 'video', 'video')
    """
    last = re.split(r"[/\\]", name)[-1]
    clean = re.sub(r"[^\w .-]", "_", last).strip(" .")
    stem, dot, suffix = clean.rpartition(".")
    if not dot:
        stem, suffix = clean, ""
    return f"{stem[:_LONGEST_NAME]}{dot}{suffix[:10]}" if stem else "video"


async def upload(request: Request) -> Response:
    """Take a video, and open its new project."""
    bench = workbench_of(request)
    if not bench.config.roots:
        raise RequestError("this server has no folder for videos; start it with --root FOLDER", 403)
    boundary = parse_options_header(request.headers["content-type"])[1].get(b"boundary")
    if not boundary:
        raise RequestError("the content type names no boundary; send the video as a file of a form")
    with Upload(bench.config.roots[0] / UPLOADS, boundary) as taken:
        async for chunk in request.stream():
            await run_in_threadpool(taken.write, chunk)
        path = await run_in_threadpool(taken.keep)
    message = await run_in_threadpool(_opened, bench, path)
    return JSONResponse({"revision": bench.opened.served.revision, "message": message})


UPLOAD_ROUTES = [Route("/api/upload", upload, methods=["POST"])]


def _opened(bench: Workbench, path: Path) -> str:
    message = bench.open(path)
    bench.background.prepare(bench.config.model)
    return message


def _free(path: Path) -> Path:
    """``path``, or with a number if there is such a file."""
    found, number = path, 2
    while found.exists():
        found, number = path.with_stem(f"{path.stem}-{number}"), number + 1
    return found
