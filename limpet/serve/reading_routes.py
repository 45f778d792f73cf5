"""Routes that read: state, timeline, masks, frames and events."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from limpet.core.errors import LimpetError
from limpet.serve.request_fields import RequestError
from limpet.serve.workbench import Workbench

MOST_MASKS = 400
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
_NEVER = {"Cache-Control": "no-store"}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TALLEST = 8192
_LOOK_SECONDS = 0.2
"""How often it is looked whether a page still waits for its frame."""


def workbench_of(request: Request) -> Workbench:
    """What the application works on."""
    bench = request.app.state.workbench
    assert isinstance(bench, Workbench)
    return bench


def state(request: Request) -> Response:
    """GET /api/state."""
    return JSONResponse(workbench_of(request).state(), headers=_NEVER)


def timeline(request: Request) -> Response:
    """GET /api/timeline?from=a&to=b."""
    opened = workbench_of(request).opened
    first, last = _number(request, "from", 0), _optional_number(request, "to")
    with opened.served.view() as project:
        found = opened.timeline.describe(project, opened.length(project), first, last)
        return JSONResponse({"revision": opened.served.revision, **found}, headers=_NEVER)


def masks(request: Request) -> Response:
    """GET /api/masks?from=a&to=b: the names of the masks, and confidences.

    With &before=1 also the names that differed before the last edit.
    """
    opened = workbench_of(request).opened
    first = _number(request, "from", 0)
    last = _number(request, "to", first)
    if last - first >= MOST_MASKS:
        raise RequestError(f"{last - first + 1} frames are too many; ask for at most {MOST_MASKS} at once")
    before: dict[int, str | None] = {}
    with opened.served.view() as project:
        names, confidence = opened.timeline.masks(project, first, last)
        earlier = project.before_last_edit() if "before" in request.query_params else None
        for frame in range(first, last + 1 if earlier else first):
            entry = earlier.entry(frame) if earlier else None
            mask = None if entry is None else entry.mask
            if mask != names[frame]:
                before[frame] = mask
        revision = opened.served.revision
    answer = {"revision": revision, "masks": names, "confidence": confidence, "before": before}
    return JSONResponse(answer, headers=_NEVER)


def mask(request: Request) -> Response:
    """GET /mask/SHA.png: a mask as it is stored."""
    digest = request.path_params["digest"]
    if not _DIGEST.fullmatch(digest):
        raise RequestError(f"{digest[:80]!r} is not the sha256 of a mask", 404)
    with workbench_of(request).opened.served.view() as project:
        store = project.masks
    if not store.has(digest):
        raise RequestError(f"there is no mask {digest}", 404)
    return Response(store.get(digest), media_type="image/png", headers=_FOREVER)


async def frame(request: Request) -> Response:
    """GET /frame/VIDEO/N?h=720: a frame as JPEG."""
    opened = workbench_of(request).opened
    video, index = request.path_params["video"], request.path_params["index"]
    height = _optional_number(request, "h") or 0
    if video != opened.video_id:
        raise RequestError(f"the video {video[:80]!r} is not open; load the page again", 404)
    if not 0 <= height <= _TALLEST:
        raise RequestError(f"h is {height}; expected 1 to {_TALLEST} pixels")
    future = asyncio.wrap_future(opened.frames.jpeg(index, height))
    while not (await asyncio.wait([future], timeout=_LOOK_SECONDS))[0]:
        if await request.is_disconnected():
            future.cancel()
            return Response(status_code=499)
    try:
        return Response(bytes(future.result()), media_type="image/jpeg", headers=_FOREVER)
    except LimpetError as error:
        raise RequestError(str(error), 404) from error


async def events(request: Request) -> Response:
    """GET /api/events: server-sent events."""
    bench = workbench_of(request)

    async def watched() -> AsyncIterator[str]:
        async for text in bench.hub.stream():
            yield text

    return StreamingResponse(watched(), media_type="text/event-stream", headers=_NEVER)


def download(request: Request) -> Response:
    """GET /api/download/ID: what an export wrote."""
    path = workbench_of(request).background.download(request.path_params["name"])
    return FileResponse(path, filename=path.name, media_type="application/octet-stream", headers=_NEVER)


READING = [
    Route("/api/state", state),
    Route("/api/timeline", timeline),
    Route("/api/masks", masks),
    Route("/api/events", events),
    Route("/api/download/{name}", download),
    Route("/mask/{digest}.png", mask),
    Route("/frame/{video}/{index:int}", frame),
]


def _number(request: Request, name: str, otherwise: int) -> int:
    found = _optional_number(request, name)
    return otherwise if found is None else found


def _optional_number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise RequestError(f"{name} is {text[:40]!r}; expected a number of a frame, counted from 0")
    return int(text)
