"""A draft of an edit: its changes take effect all at once when it is committed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from limpet.core.errors import ProjectError
from limpet.core.masks import encode_mask
from limpet.core.tracker_protocol import Mask, checked_confidence
from limpet.project.folder import Folder
from limpet.project.project_file import Edit
from limpet.project.snapshot import PAGE, Entry, Page, Snapshot, Table, write_page

_OPEN_PAGES = 2
REPLACED_SECONDS = 600.0
"""How long pages of an unfinished edit stay after the next commit of that edit, for others that are reading them."""


class Draft:
    """A changed copy of the current snapshot.

    Masks and full pages are written to the disk immediately, under names that nothing refers to yet, so that little is
    in memory however many frames an edit has.

    Attributes:
        snapshot: objects, key frames and locks after the edit; assign changed copies. ``commit`` fills in its pages.
        number: of the edit.

    Raises:
        ProjectError: on creation, if the project is open for reading only.
    """

    def __init__(self, folder: Folder) -> None:
        folder.check_writable()
        self._folder = folder
        self.snapshot: Snapshot = folder.snapshot
        self.number = folder.head.following
        self._table = Table(folder.pages, folder.snapshot.pages)
        self._open: dict[int, Page] = {}
        self._original = frozenset(folder.snapshot.pages.values())
        self._replaced: deque[tuple[float, str]] = deque()

    def entry(self, frame: int) -> Entry | None:
        """What is known of a frame, with the changes of this draft."""
        page = self._open.get(frame // PAGE)
        return page.get(frame) if page is not None else self._table.entry(frame)

    def mask(self, frame: int, replaced: Collection[int] = ()) -> Mask | None:
        """The mask of a frame, uint8 (H, W), or None.

        A frame whose mask is missing or damaged becomes empty, so that it can be propagated or corrected anew.

        Args:
            replaced: objects whose masks a person gives anew, so that those given before may be lost.

        Raises:
            ProjectError: the mask of a key frame or of a locked frame is lost.
        """
        entry = self.entry(frame)
        if entry is None:
            return None
        try:
            return self._folder.mask(entry.mask)
        except ProjectError as error:
            self._lose(frame, replaced, error)
            return None

    def mask_or_empty(self, frame: int, replaced: Collection[int] = ()) -> Mask:
        """The mask of a frame, uint8 (H, W); all background if there is none. Otherwise as ``mask``."""
        mask = self.mask(frame, replaced)
        return np.zeros(self._folder.head.video.size, np.uint8) if mask is None else mask

    def lost(self) -> set[int]:
        """The frames whose mask is missing or damaged, as every mask is read."""
        table, masks = self._table, self._folder.masks
        return {frame for frame, entry in table.entries() if not masks.is_intact(entry.mask)}

    def put(self, frame: int, mask: Mask, written: Mapping[int, float]) -> None:
        """Set a frame's mask.

        Args:
            mask: uint8 (H, W).
            written: object -> confidence 0..1 of the objects that this edit wrote, visible or not.
        """
        before = self.entry(frame)
        objects = {} if before is None else dict(before.objects)
        # An object can get pixels that another object left.
        seen = dict.fromkeys(
            (int(i) for i in np.flatnonzero(np.bincount(mask.ravel(), minlength=256)) if i), 0.0
        )
        objects = {
            i: (self.number, confidence) for i, confidence in seen.items() if i not in objects
        } | objects
        objects |= {i: (self.number, checked_confidence(i, sure)) for i, sure in written.items()}
        self._page(frame)[frame] = Entry(self._folder.masks.put(encode_mask(mask)), objects)

    def drop(self, frame: int, object_id: int) -> None:
        """Take an object out of a frame: its pixels become background. A frame without any object becomes empty.

        A locked frame keeps a mask even then, because it was accepted as showing nothing.
        """
        entry = self.entry(frame)
        if entry is None or object_id not in entry.objects:
            return
        objects = {i: value for i, value in entry.objects.items() if i != object_id}
        page = self._page(frame)
        if not objects and not self.snapshot.is_locked(frame):
            del page[frame]
            return
        mask = self.mask(frame)
        if mask is None:
            return
        mask[mask == object_id] = 0
        page[frame] = Entry(self._folder.masks.put(encode_mask(mask)), objects)

    def commit(self, kind: str, what: str, complete: bool = True) -> None:
        """Commit all changes so far as one edit; a draft that continues can be committed again.

        Raises:
            ProjectError, OutputError: nothing was changed.
        """
        for number in list(self._open):
            self._close(number)
        before = self.snapshot.pages
        self.snapshot = replace(self.snapshot, pages=dict(self._table.pages))
        self._folder.commit(self.snapshot, Edit(self.number, kind, what, complete))
        self._drop_replaced(set(before.values()) - self._original)

    def _drop_replaced(self, own: set[str]) -> None:
        """Remove pages that earlier commits of this very edit wrote, once nobody can be reading them any more.

        They hold the edit's number, so that no other edit refers to them. An edit that is committed each second for an
        hour would otherwise leave thousands.
        """
        now = time.monotonic()
        self._replaced.extend((now, digest) for digest in own - set(self.snapshot.pages.values()))
        while self._replaced and now - self._replaced[0][0] > REPLACED_SECONDS:
            _, digest = self._replaced.popleft()
            if digest not in self.snapshot.pages.values():
                self._folder.pages.remove(digest)

    def _lose(self, frame: int, replaced: Collection[int], why: ProjectError) -> None:
        if self.snapshot.is_locked(frame):
            raise ProjectError(
                f"the mask of frame {frame} is lost, and the frame is locked; unlock it first: {why}"
            )
        given = self.snapshot.given
        left = [i for i in given.get(frame, ()) if i not in replaced]
        if left:
            raise ProjectError(
                f"the mask that was given for frame {frame} is lost; give it again with limpet project correct, with "
                f"{'object' if len(left) == 1 else 'objects'} {', '.join(map(str, left))} in it: {why}"
            ) from why
        self.snapshot = replace(self.snapshot, given={f: ids for f, ids in given.items() if f != frame})
        del self._page(frame)[frame]

    def _page(self, frame: int) -> Page:
        number = frame // PAGE
        if number not in self._open:
            while len(self._open) >= _OPEN_PAGES:
                self._close(next(iter(self._open)))
            self._open[number] = dict(self._table.page(number))
        return self._open[number]

    def _close(self, number: int) -> None:
        page = self._open.pop(number)
        if page:
            self._table.pages[number] = self._folder.pages.put(write_page(page))
        else:
            self._table.pages.pop(number, None)
