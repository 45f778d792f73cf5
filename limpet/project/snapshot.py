"""A project at one moment: its objects, the given and locked frames, and the files of all masks.

A snapshot never changes. Each edit makes a new one, which shares all pages of frames that stayed the same, so that
undo, redo and recovery from a crash need nothing but the number of the current snapshot.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from limpet.core.check_sums import CHECK_SUM, check_content, check_sum
from limpet.core.errors import ProjectError
from limpet.core.json_text import finite_number, parse_json, whole_number
from limpet.core.limits import limits
from limpet.project.store import Store

PAGE = 1000
"""Frames per page: an edit of one frame rewrites one page, however long the video is."""
_KEPT_PAGES = 8
_EDITS = 1 << 53
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """One frame.

    mask: sha256 of its PNG.
    objects: id -> (number of the edit that wrote it here, confidence 0..1), also for objects that are not visible.
    """

    mask: str
    objects: Mapping[int, tuple[int, float]]


Page = dict[int, Entry]
OnPage = Callable[[int, str, Page], None]


@dataclass(frozen=True)
class Snapshot:
    """The content of a snapshot, see the module.

    objects: id -> name, which may be empty.
    given: frame -> ids whose masks a person gave there (it is a key frame of these objects).
    locked: spans of accepted frames, first and last inclusive; sorted and disjoint.
    pages: number of the page (frame // PAGE) -> its sha256.
    """

    objects: dict[int, str] = field(default_factory=dict)
    given: dict[int, tuple[int, ...]] = field(default_factory=dict)
    locked: tuple[tuple[int, int], ...] = ()
    pages: dict[int, str] = field(default_factory=dict)

    def is_locked(self, frame: int) -> bool:
        """Whether a person accepted the frame."""
        position = bisect_right(self.locked, frame, key=lambda span: span[0]) - 1
        return position >= 0 and frame <= self.locked[position][1]


def with_span(
    spans: tuple[tuple[int, int], ...], first: int, last: int, inside: bool
) -> tuple[tuple[int, int], ...]:
    """Spans with the frames ``first`` to ``last`` added (``inside``) or removed."""
    rest: list[tuple[int, int]] = []
    for begin, end in spans:
        rest += [(begin, min(end, first - 1)), (max(begin, last + 1), end)]
    rest = sorted([span for span in rest if span[0] <= span[1]] + ([(first, last)] if inside else []))
    joined: list[tuple[int, int]] = []
    for begin, end in rest:
        if joined and begin == joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return tuple(joined)


class Table:
    """The frames of a snapshot; a few pages are in memory at a time.

    Attributes:
        broken: numbers of pages that are missing or damaged; their frames count as empty.
        intact: the sha256 of pages that were read once, by this table or by ``earlier``.

    Raises:
        ProjectError: from all methods, if a page is missing or damaged that is not in ``broken``.
    """

    def __init__(self, store: Store, pages: Mapping[int, str], earlier: Table | None = None) -> None:
        self._store, self.pages = store, dict(pages)
        self.broken: set[int] = set()
        self.intact: set[str] = set() if earlier is None else set(earlier.intact)
        self._cache: OrderedDict[str, Page] = OrderedDict() if earlier is None else earlier._cache.copy()

    def entry(self, frame: int) -> Entry | None:
        """What is known of a frame, or None."""
        return self.page(frame // PAGE).get(frame)

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """All frames that have a mask, ascending."""
        for number in sorted(self.pages):
            page = self.page(number)
            yield from ((frame, page[frame]) for frame in sorted(page))

    def leave_out_broken(self, on_page: OnPage | None = None) -> list[str]:
        """Read every page once and put those that cannot be read into ``broken``; returns what is wrong with them.

        Args:
            on_page: called with the number of each page that is read, its sha256 and its frames.
        """
        problems = []
        self.intact &= set(self.pages.values())
        for number in sorted(self.pages):
            if self.pages[number] in self.intact:
                continue
            try:
                page = self.page(number)
            except ProjectError as error:
                self.broken.add(number)
                problems.append(f"frames {number * PAGE} to {(number + 1) * PAGE - 1}: {error}")
            else:
                if on_page is not None:
                    on_page(number, self.pages[number], page)
        return problems

    def page(self, number: int) -> Page:
        """One page; do not change it."""
        digest = self.pages.get(number)
        if digest is None or number in self.broken:
            return {}
        if digest not in self._cache:
            page = read_page(self._store.get(digest))
            if any(frame // PAGE != number for frame in page):
                raise ProjectError(f"{self._store.path(digest)} is of other frames than the snapshot says")
            self._cache[digest] = page
            self.intact.add(digest)
            while len(self._cache) > _KEPT_PAGES:
                self._cache.popitem(last=False)
        self._cache.move_to_end(digest)
        return self._cache[digest]


def write_page(page: Page) -> bytes:
    """A page as JSON with one line per frame in order, so that any diff tool shows which frames differ."""
    lines = [f'"{frame}": {json.dumps(_entry_json(page[frame]))}' for frame in sorted(page)]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def read_page(data: bytes) -> Page:
    """What ``write_page`` wrote. Raises ProjectError for anything else."""
    ids, most = _Ids(), limits().frames
    try:
        return {_frame(frame, most): _entry(value, ids) for frame, value in parse_json(data).items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ProjectError(f"a page of frames is not valid ({error!r}); update limpet") from error


def write_snapshot(snapshot: Snapshot, number: int) -> str:
    """A snapshot as JSON in a fixed order."""
    content = {
        "edit": number,
        "objects": {str(i): snapshot.objects[i] for i in sorted(snapshot.objects)},
        "given": {str(frame): list(snapshot.given[frame]) for frame in sorted(snapshot.given)},
        "locked": [list(span) for span in snapshot.locked],
        "pages": {str(page): snapshot.pages[page] for page in sorted(snapshot.pages)},
    }
    return json.dumps(content | {CHECK_SUM: check_sum(content)}, indent=1, ensure_ascii=False) + "\n"


def read_snapshot(text: str) -> Snapshot:
    """What ``write_snapshot`` wrote. Raises ValueError; the message says what is wrong."""
    content, most = parse_json(text), limits().frames
    try:
        objects = {_id(i): str(name) for i, name in content["objects"].items()}
        given = {_frame(frame, most): tuple(_id(i) for i in ids) for frame, ids in content["given"].items()}
        locked = tuple((_frame(first, most), _frame(last, most)) for first, last in content["locked"])
        pages = {_frame(page, most): _digest(digest) for page, digest in content["pages"].items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"unexpected content ({error!r})") from error
    check_content(content)
    ends = [frame for span in locked for frame in span]
    if ends != sorted(ends) or any(one == other for (_, one), (other, _) in pairwise(locked)):
        raise ValueError(f"the spans of locked frames are not in ascending order: {locked}")
    return Snapshot(objects, given, locked, pages)


def _entry_json(entry: Entry) -> dict[str, Any]:
    objects = {
        str(i): [edit, round(confidence, 4)] for i, (edit, confidence) in sorted(entry.objects.items())
    }
    return {"mask": entry.mask, "objects": objects}


class _Ids(dict[str, int]):
    """Ids of objects by their text: a page has few, thousands of times."""

    def __missing__(self, text: str) -> int:
        self[text] = _id(text)
        return self[text]


def _entry(value: Any, ids: _Ids) -> Entry:
    objects: dict[int, tuple[int, float]] = {}
    for text, (edit, sure) in value["objects"].items():
        # An hour of 20 objects has two million of these, and nearly all of them are so.
        if not (type(edit) is int and type(sure) is float and 0 <= edit <= _EDITS and 0.0 <= sure <= 1.0):
            edit = whole_number(edit, "a number of an edit", 0, _EDITS)
            sure = finite_number(sure, "a confidence", 0, 1)
        objects[ids[text]] = edit, sure
    return Entry(_digest(value["mask"]), objects)


def _frame(value: Any, most: int) -> int:
    return whole_number(int(value), "a frame", 0, most)


def _id(text: Any) -> int:
    number = int(text)
    if not 1 <= number <= 255:
        raise ValueError(f"object id {number} is not between 1 and 255")
    return number


def _digest(text: Any) -> str:
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise ValueError(f"{text!r} is not a sha256")
    return text
