"""How large what is read may be, checked before memory is taken for it. docs/limits.md has the table.

Each limit can be changed by an environment variable that is named after it: ``LIMPET_MAX_PIXELS=500000000``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

from limpet.core.errors import LimpetError

PREFIX = "LIMPET_MAX_"


@dataclass(frozen=True)
class ReadLimits:
    """The largest sizes that are read.

    side, pixels: of a frame, picture or mask (8K has 33 million pixels). frames: of a video, project or file of masks.
    objects: ids in a file of another program; a tracker's masks hold 255.
    json_bytes: of a file of annotations, a report or a list of jobs, which is read whole.
    own_json_bytes: of a manifest, of project.json, of a page or snapshot of a project, of a line of a journal.
    json_depth: how deep lists and dictionaries may be nested in each other.
    tensor_bytes: of a file of weights or of a state.
    member_bytes: of one file in a zip, unpacked. members: files in a zip.
    """

    side: int = 32_768
    pixels: int = 1 << 27
    frames: int = 10_000_000
    objects: int = 65_535
    json_bytes: int = 1 << 30
    own_json_bytes: int = 1 << 26
    json_depth: int = 100
    tensor_bytes: int = 1 << 34
    member_bytes: int = 1 << 30
    members: int = 1_000_000


def limits() -> ReadLimits:
    """The limits that hold now: the defaults, and what the environment says instead.

    Raises:
        LimpetError: a variable is not a whole number of at least 1.

    >>> limits().json_depth
    100
    """
    changed = {
        field.name: _whole(variable, os.environ[variable])
        for field in fields(ReadLimits)
        if (variable := variable_of(field.name)) in os.environ
    }
    return ReadLimits(**changed)


def variable_of(name: str) -> str:
    """The environment variable that changes a limit: ``json_bytes`` -> ``LIMPET_MAX_JSON_BYTES``."""
    return PREFIX + name.upper()


def is_frame_size(height: int, width: int) -> bool:
    """Whether frames, pictures or masks of (H, W) are read at all."""
    most = limits()
    return min(height, width) >= 1 and max(height, width) <= most.side and height * width <= most.pixels


def frame_sizes() -> str:
    """Which sizes are read, as the end of a sentence that began with ``expected``."""
    most = limits()
    return (
        f"sides of 1 to {most.side} pixels and at most {most.pixels} in all ({variable_of('side')} and "
        f"{variable_of('pixels')} raise these limits)"
    )


def _whole(variable: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < 1:
        raise LimpetError(
            f"the environment variable {variable} is {text!r}; expected a whole number of at least 1"
        )
    return int(text)
