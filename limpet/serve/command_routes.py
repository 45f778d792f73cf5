"""Routes that change something: each is one edit of the project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from limpet.core.errors import ProjectError
from limpet.core.json_text import parse_json
from limpet.core.tracker_protocol import Mask
from limpet.project import Project
from limpet.serve.palette import set_color
from limpet.serve.reading_routes import workbench_of
from limpet.serve.request_fields import MAX_NAME, Fields, RequestError
from limpet.serve.workbench import Workbench

MODES = ("all", "forwards", "backwards", "between")
Command = Callable[[Workbench, Fields], dict[str, Any]]


def open_project(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """Open a video or a project."""
    message = bench.open_allowed(fields.text("path"), fields.optional_text("project"))
    return _answer(bench, message)


def add_object(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """A new object, with its mask in one frame."""
    frame, name = fields.integer("frame"), fields.optional_text("name", MAX_NAME) or ""
    color = fields.color()

    def change(project: Project) -> int:
        mask = fields.mask("mask", project.size)
        object_id = next((i for i in range(1, 256) if i not in project.objects), None)
        if object_id is None:
            raise RequestError("the project has 255 objects, which is the limit; remove one first")
        project.add(frame, np.where(mask > 0, np.uint8(object_id), np.uint8(0)), {object_id: name})
        if color is not None:
            set_color(project, object_id, color)
        return object_id

    object_id = bench.edit(change)
    return _answer(bench, f"object {object_id} is new", id=object_id)


def change_object(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """Another name or colour of an object. The name is an edit; the colour is not."""
    object_id, name, color = fields.integer("id"), fields.optional_text("name", MAX_NAME), fields.color()

    def change(project: Project) -> None:
        if object_id not in project.objects:
            raise RequestError(f"there is no object {object_id} in the project", 404)
        if name is not None and name != project.objects[object_id]:
            project.rename(object_id, name)
        if color is not None:
            set_color(project, object_id, color)

    bench.edit(change)
    return _answer(bench, f"object {object_id} is changed")


def remove_object(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """Take an object out of all frames."""
    object_id, locked = fields.integer("id"), fields.flag("include_locked")
    bench.edit(lambda project: project.remove(object_id, locked))
    return _answer(bench, f"object {object_id} is removed")


def correct(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """The correct masks of some objects in one frame; with ``changed``, only where that is not 0."""
    frame, ids = fields.integer("frame"), fields.ids()
    if not ids:
        raise RequestError("objects is missing; expected the ids of the objects that are corrected")

    def change(project: Project) -> None:
        mask = fields.optional_mask("mask", project.size)
        changed = fields.optional_mask("changed", project.size)
        if changed is not None:
            mask = _merged(project, frame, mask, changed, ids)
        project.correct(frame, mask, ids)

    bench.edit(change)
    return _answer(bench, f"frame {frame} is corrected")


def _merged(project: Project, frame: int, mask: Mask | None, changed: Mask, ids: list[int]) -> Mask:
    """The corrected masks where they were changed, and elsewhere those that the project has by now."""
    given: Mask = np.zeros(project.size, np.uint8) if mask is None else mask
    try:
        now = project.mask(frame)
    except ProjectError:  # it is lost, so that what the person saw is all there is
        return given
    kept = np.uint8(0) if now is None else np.where(np.isin(now, ids), now, np.uint8(0))
    return np.where(changed > 0, given, kept)


def lock(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """Accept frames."""
    first, last = fields.integer("first"), fields.integer("last")
    bench.edit(lambda project: project.lock(first, last))
    return _answer(bench, f"frames {first} to {last} are locked")


def unlock(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """Let frames be changed again."""
    first, last = fields.integer("first"), fields.integer("last")
    bench.edit(lambda project: project.unlock(first, last))
    return _answer(bench, f"frames {first} to {last} are unlocked")


def undo(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """Take back the last edit."""
    return _step(bench, Project.undo, "undone")


def redo(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """Make the edit again that was undone last."""
    return _step(bench, Project.redo, "redone")


def _step(bench: Workbench, step: Callable[[Project], Any], word: str) -> dict[str, Any]:
    def change(project: Project) -> tuple[str, list[int] | None]:
        before = project.reopened()
        edit = step(project)
        try:
            frames = project.changed_since(before)
        except ProjectError:  # a page is damaged; the step is made all the same
            frames = None
        return f"{edit.kind} {edit.what}", frames

    what, frames = bench.edit(change)
    return _answer(bench, f"{word}: {what}", edit=what, frames=frames)


def propagate(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """Propagate from key frames, in a process of its own."""
    mode = fields.optional_text("mode") or "all"
    if mode not in MODES:
        raise RequestError(f"mode is {mode!r}; expected one of {', '.join(MODES)}")
    start, stop, objects = fields.optional_integer("start"), fields.optional_integer("stop"), fields.ids()
    if mode != "all" and start is None:
        raise RequestError(f"start is missing; to propagate {mode}, name the key frame to start from")
    if mode == "between" and stop is None:
        raise RequestError("stop is missing; to propagate between key frames, name both")
    if mode == "all":
        start = stop = objects = None
    model = fields.optional_text("model") or bench.config.model
    return _answer(bench, "the propagation has begun", id=bench.propagate(mode, start, stop, objects, model))


def cancel(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """Stop the propagation; what is done is kept as one edit."""
    message = bench.background.stop()
    return _answer(bench, "no propagation runs" if message is None else f"stopped; {message}")


def export(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """Write a download, in a process of its own."""
    name = bench.background.export(bench.opened.served.path, fields.text("what"))
    return _answer(bench, "the export has begun", id=name)


def command(path: str, run: Command) -> Route:
    """A route that takes JSON, and works in a thread, so that frames are served meanwhile.

    A request may name the project that it is for; it is refused where another one is open by now.
    """

    def run_for(bench: Workbench, project: str | None, fields: Fields) -> dict[str, Any]:
        if project is None:
            return run(bench, fields)
        with bench.while_open(Path(unquote(project))):
            return run(bench, fields)

    async def endpoint(request: Request) -> Response:
        try:
            content = parse_json(await request.body())
        except ValueError as error:
            raise RequestError(f"the request is not JSON ({error})") from error
        project = request.headers.get("x-limpet-project")
        return JSONResponse(await run_in_threadpool(run_for, workbench_of(request), project, Fields(content)))

    return Route(path, endpoint, methods=["POST"])


COMMANDS = [
    command("/api/open", open_project),
    command("/api/object/add", add_object),
    command("/api/object/change", change_object),
    command("/api/object/remove", remove_object),
    command("/api/correct", correct),
    command("/api/lock", lock),
    command("/api/unlock", unlock),
    command("/api/undo", undo),
    command("/api/redo", redo),
    command("/api/propagate", propagate),
    command("/api/cancel", cancel),
    command("/api/export", export),
]


def _answer(bench: Workbench, message: str, **more: Any) -> dict[str, Any]:
    return {"revision": bench.opened.served.revision, "message": message, **more}
