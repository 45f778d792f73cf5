"""``project.json``: the video, the edits and how many of them are in effect. A small file, which is replaced whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from limpet.core.check_sums import CHECK_SUM, check_content, check_sum
from limpet.core.errors import ProjectError
from limpet.core.json_text import parse_json, whole_number
from limpet.project.video_reference import VideoReference

FORMAT = "limpet-project"
VERSION = 1
"""Incremented when an older limpet could not edit the folder; that version then opens it for reading only."""


@dataclass(frozen=True)
class Edit:
    """One step of the history.

    number: unique, and higher than those of all earlier edits; its snapshot is ``history/<number>.json``.
    kind: "add", "remove", "rename", "correct", "import", "lock", "unlock" or "propagate".
    what: a description for people.
    complete: False while a propagation runs, and if it was stopped; the finished frames are there.
    """

    number: int
    kind: str
    what: str
    complete: bool = True


@dataclass(frozen=True)
class Head:
    """The content of ``project.json``.

    edits: oldest first; those after ``position`` are undone and can be redone.
    base: number of the snapshot before the first edit; 0 is the empty one.
    following: number of the next edit.
    unknown: other entries of the file, which are kept as they are.
    version: of the layout, as stated in the file.
    """

    video: VideoReference
    edits: tuple[Edit, ...] = ()
    position: int = 0
    base: int = 0
    following: int = 1
    unknown: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION

    @property
    def current(self) -> int:
        """Number of the current snapshot."""
        return self.edits[self.position - 1].number if self.position else self.base

    def with_edit(self, edit: Edit) -> Head:
        """With ``edit`` as the last one. Undone edits are discarded; an unfinished edit of that number is replaced."""
        kept = [old for old in self.edits[: self.position] if old.number != edit.number]
        return replace(
            self, edits=(*kept, edit), position=len(kept) + 1, following=max(self.following, edit.number + 1)
        )


_MOST = 1 << 53
_COVERED = ("format", "version", "video", "base", "position", "next", "edits")
"""What the check sum is of: other programs may change entries of their own."""
_KNOWN = (*_COVERED, CHECK_SUM)


def write_head(head: Head) -> str:
    """The head as JSON, with one line per edit."""
    facts = {
        "format": FORMAT,
        "version": head.version,
        "video": head.video.as_json(),
        "base": head.base,
        "position": head.position,
        "next": head.following,
    }
    edit_facts = [_edit_json(edit) for edit in head.edits]
    facts |= {CHECK_SUM: check_sum(facts | {"edits": edit_facts}), **head.unknown}
    edits = ",\n".join("  " + json.dumps(edit, ensure_ascii=False) for edit in edit_facts)
    text = json.dumps(facts, indent=1, ensure_ascii=False).removesuffix("\n}")
    return f'{text},\n "edits": [\n{edits}\n ]\n}}\n' if edits else f'{text},\n "edits": []\n}}\n'


def read_head(text: str) -> Head:
    """What ``write_head`` wrote, also by a newer limpet as far as it can be understood.

    Raises:
        ValueError: it is not JSON of this kind; the message says what is wrong.
    """
    content = parse_json(text)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f'it lacks "format": "{FORMAT}"')
    try:
        edits = tuple(
            Edit(_number(e["number"]), str(e["kind"]), str(e["what"]), bool(e.get("complete", True)))
            for e in content["edits"]
        )
        head = Head(
            VideoReference.from_json(content["video"]), edits, _number(content["position"]),
            _number(content["base"]), _number(content["next"]),
            {key: value for key, value in content.items() if key not in _KNOWN}, _number(content["version"]),
        )  # fmt: skip
    except KeyError as error:
        raise ValueError(f"it lacks the entry {error}") from error
    except (AttributeError, TypeError) as error:
        raise ValueError(f"unexpected content ({error})") from error
    _check(head)
    if head.version == VERSION:
        check_content(content, _COVERED)
    return head


def check_version(head: Head) -> None:
    """Raises ProjectError if a newer limpet made the folder."""
    if head.version > VERSION:
        raise ProjectError(
            f"the project was made by a newer limpet (layout {head.version}, this one knows {VERSION}); "
            f"update limpet to edit it"
        )


def _number(value: object) -> int:
    return whole_number(value, "a number of an edit", 0, _MOST)


def _check(head: Head) -> None:
    if not 0 <= head.position <= len(head.edits):
        raise ValueError(f"position is {head.position}, but there are {len(head.edits)} edits")
    numbers = [head.base, *(edit.number for edit in head.edits), head.following]
    if numbers != sorted(set(numbers)) or head.base < 0:
        raise ValueError(f"the numbers of base, edits and next are not in ascending order: {numbers}")


def _edit_json(edit: Edit) -> dict[str, Any]:
    content: dict[str, Any] = {"number": edit.number, "kind": edit.kind, "what": edit.what}
    return content if edit.complete else content | {"complete": False}
