"""The application: routes, the page's own files, and errors as sentences."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from limpet.core.errors import LimpetError
from limpet.core.files import impossible_path
from limpet.serve.command_routes import COMMANDS
from limpet.serve.guard import LOOPBACK, Guard
from limpet.serve.reading_routes import READING
from limpet.serve.request_fields import RequestError
from limpet.serve.segment_routes import SEGMENT
from limpet.serve.upload import UPLOAD_ROUTES
from limpet.serve.workbench import Workbench

STATIC = Path(__file__).parent / "static"
_LOOK_SECONDS = 0.5
"""How often it is looked whether another program changed the project, while a page listens."""


class PageFiles(StaticFiles):
    """The page's files; browsers ask each time whether they have changed."""

    def file_response(self, *args: object, **keywords: object) -> Response:
        """The answer with a file; the browser asks each time whether it has changed, so that no old page stays."""
        response = super().file_response(*args, **keywords)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


def make_app(
    bench: Workbench,
    token: str,
    hosts: tuple[str, ...] = LOOPBACK,
    any_address: bool = False,
    max_upload: int = 16 << 30,
) -> Starlette:
    """The application; see ``Guard`` for the arguments."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(_watch(bench))
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            await run_in_threadpool(bench.end)

    guard = Middleware(Guard, token=token, hosts=hosts, any_address=any_address, max_upload=max_upload)
    app = Starlette(
        routes=[*READING, *COMMANDS, *SEGMENT, *UPLOAD_ROUTES, Mount("/", PageFiles(directory=STATIC, html=True))],
        middleware=[guard],
        exception_handlers={
            LimpetError: _sentence, HTTPException: _http, ClientDisconnect: _gone, OSError: _path, Exception: _defect,
        },
        lifespan=lifespan,
    )  # fmt: skip
    app.state.workbench = bench
    return app


async def _watch(bench: Workbench) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if bench.hub.watched:
            await run_in_threadpool(bench.refresh)


def _sentence(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, error.status if isinstance(error, RequestError) else 400)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.scope["path"]  # an address as a whole need not be text
    return JSONResponse({"error": f"{request.method} {path}: {error.detail}"}, error.status_code)


def _path(request: Request, error: Exception) -> Response:
    """A path that no file can have; any other error of the disk is a defect, or told where it happens."""
    assert isinstance(error, OSError)
    sentence = impossible_path(error)
    if sentence is None:
        raise error
    return JSONResponse({"error": sentence}, 400)


def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=499)


def _defect(request: Request, error: Exception) -> Response:
    kind = type(error).__name__
    return JSONResponse(
        {"error": f"the server met a defect ({kind}: {error}); its terminal has the details"}, 500
    )
