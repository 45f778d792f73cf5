"""Routes that make masks of clicks, boxes and edges; they change nothing in the project."""

from __future__ import annotations

import base64
import time
from typing import Any

import numpy as np
from starlette.routing import Route

from limpet.core.masks import encode_mask
from limpet.core.tracker_protocol import Mask
from limpet.segment import Click, segment_box
from limpet.serve.click_process import ClickProcess
from limpet.serve.command_routes import command
from limpet.serve.request_fields import Fields, RequestError
from limpet.serve.workbench import Workbench


def click(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """Clicks on an object, and on what is not the object."""
    frame, clicks = fields.integer("frame"), [Click(*each) for each in fields.clicks()]
    if bench.segmenter is None:
        raise RequestError("there is no model for clicks; use the box, the livewire or the brush", 409)
    image = bench.opened.frames.image(frame)
    present = fields.optional_mask("mask", (image.shape[0], image.shape[1]))
    began = time.monotonic()
    return _answer(bench.segmenter.segment(image, clicks, present), began)


def prepare(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """Clicks will follow: the model for them is loaded, if it is not."""
    if isinstance(bench.segmenter, ClickProcess):
        bench.segmenter.prepare()
    return {}


def box(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """A box around an object."""
    frame, numbers = fields.integer("frame"), fields.numbers("box", 4)
    image = bench.opened.frames.image(frame)
    began = time.monotonic()
    return _answer(segment_box(image, (numbers[0], numbers[1], numbers[2], numbers[3])), began)


def anchor(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """Where the livewire begins."""
    frame, point, numbers = fields.integer("frame"), fields.numbers("point", 2), fields.numbers("box", 4)
    image = bench.opened.frames.image(frame)
    box = (numbers[0], numbers[1], numbers[2], numbers[3])
    return {"id": bench.livewire.anchor(image, (point[0], point[1]), box)}


def path(bench: Workbench, fields: Fields) -> dict[str, Any]:
    """The line from an anchor to a point."""
    to = fields.numbers("to", 2)
    return {"path": bench.livewire.path(fields.integer("id"), (to[0], to[1]))}


SEGMENT: list[Route] = [
    command("/api/segment/prepare", prepare),
    command("/api/segment/click", click),
    command("/api/segment/box", box),
    command("/api/segment/livewire/anchor", anchor),
    command("/api/segment/livewire/path", path),
]


def _answer(mask: Mask, began: float) -> dict[str, Any]:
    data = encode_mask(np.where(mask > 0, np.uint8(255), np.uint8(0)))
    return {"mask": base64.b64encode(data).decode(), "seconds": round(time.monotonic() - began, 3)}
