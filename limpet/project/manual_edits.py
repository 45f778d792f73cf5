"""Edits of a project that need no tracker: objects, corrections, locks, undo and redo."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from limpet.core.errors import Option, ProjectError, VideoError
from limpet.core.groups import check_mask, object_ids
from limpet.core.masks import read_mask
from limpet.core.tracker_protocol import Mask
from limpet.project.draft import Draft
from limpet.project.frame_access import FrameAccess
from limpet.project.project_file import Edit
from limpet.project.project_view import ProjectView, names_of
from limpet.project.snapshot import with_span
from limpet.project.video_reference import ESTIMATE_MARGIN


class EditableProject(ProjectView):
    """See ``Project``."""

    def add(
        self,
        frame: int,
        mask: str | Path | Mask,
        names: Mapping[int, str] | None = None,
        *,
        resize_mask: bool = False,
    ) -> None:
        """Add new objects at a frame. Other objects in the frame keep the pixels that the new ones do not cover.

        Args:
            mask: uint8 (H, W) or an indexed PNG; its ids are the new objects.
            names: id -> name, for display.
            resize_mask: fit a PNG of another size to the frame instead of refusing it.

        Raises:
            MaskError: wrong size or empty. VideoError: no such frame.
            ProjectError: an id exists already, or the frame is locked.
        """
        self._folder.check_writable()
        given = self._given(mask, resize_mask)
        new = object_ids(given)
        known = [i for i in new if i in self.objects]
        if known:
            raise ProjectError(
                f"object {known[0]} is already in the project; give the new object another id, or correct this one"
            )
        draft = self._draft_at(frame)
        draft.snapshot = replace(
            draft.snapshot,
            objects=draft.snapshot.objects | {i: (names or {}).get(i, "") for i in new},
        )
        self._give(draft, frame, np.where(given > 0, given, draft.mask_or_empty(frame, new)), new)
        draft.commit("add", f"{names_of(new)} at frame {frame}")

    def remove(self, object_id: int, include_locked: bool = False) -> None:
        """Take an object out of the project and out of every frame.

        Raises:
            ProjectError: there is no such object; or locked frames show it, unless ``include_locked``.
        """
        draft = Draft(self._folder)
        self._check_objects([object_id])
        if not include_locked:
            self._refuse_locked(object_id)
        snapshot = draft.snapshot
        given = {f: tuple(i for i in ids if i != object_id) for f, ids in snapshot.given.items()}
        names = {i: name for i, name in snapshot.objects.items() if i != object_id}
        draft.snapshot = replace(snapshot, objects=names, given={f: ids for f, ids in given.items() if ids})
        for frame, _ in self._folder.table.entries():
            draft.drop(frame, object_id)
        draft.commit("remove", names_of([object_id]))

    def rename(self, object_id: int, name: str) -> None:
        """Give an object another name. Raises ProjectError if there is no such object."""
        draft = Draft(self._folder)
        self._check_objects([object_id])
        draft.snapshot = replace(draft.snapshot, objects=draft.snapshot.objects | {object_id: name})
        draft.commit("rename", names_of([object_id]))

    def set_extra(self, name: str, value: Any) -> None:
        """Set an entry of ``extra``; this is not an edit and is not undone.

        Args:
            value: anything that JSON holds.
        """
        self._folder.set_extra(name, value)

    def correct(
        self,
        frame: int,
        mask: str | Path | Mask | None,
        objects: Collection[int] | None = None,
        *,
        resize_mask: bool = False,
    ) -> None:
        """Give the correct masks of one frame, which becomes a key frame. Others change with the next ``propagate``.

        Args:
            mask: uint8 (H, W) or an indexed PNG. None: the objects are not visible in the frame.
            objects: ids that are corrected; everything else in the frame stays. None: all objects; those that are not
                in the mask are not visible in the frame.
            resize_mask: as for ``add``.

        Raises:
            MaskError: wrong size. VideoError: no such frame.
            ProjectError: an id that is not in the project, or the frame is locked.
        """
        self._folder.check_writable()
        ids = tuple(sorted(self.objects if objects is None else set(objects)))
        self._check_objects(ids)
        given = self._given(np.zeros(self.size, np.uint8) if mask is None else mask, resize_mask, True)
        if objects is None:
            self._check_objects(object_ids(given))
        if not ids:
            raise ProjectError("the project has no object to correct; add one first")
        draft = self._draft_at(frame)
        present = draft.mask_or_empty(frame, ids)
        kept = np.where(np.isin(present, ids), 0, present)
        self._give(draft, frame, np.where(np.isin(given, ids), given, kept), ids)
        draft.commit("correct", f"{names_of(ids)} at frame {frame}")

    def lock(self, first: int, last: int | None = None) -> None:
        """Accept the frames ``first`` to ``last`` (inclusive; None: one frame): nothing changes them until ``unlock``.

        Each becomes a key frame of every object.

        Raises:
            ProjectError: a frame has no mask yet, or all are locked.
        """
        last = self._check_span(first, last)
        bare = next((f for f in range(first, last + 1) if self._folder.table.entry(f) is None), None)
        if bare is not None:
            raise ProjectError(f"frame {bare} has no mask to lock; propagate or correct it first")
        self._set_lock(first, last, True)

    def unlock(self, first: int, last: int | None = None) -> None:
        """Revert ``lock``. Raises ProjectError if none of the frames is locked."""
        self._set_lock(first, self._check_span(first, last), False)

    def undo(self) -> Edit:
        """Undo the last edit and return it. Every mask has its earlier bytes again.

        Raises:
            ProjectError: there is nothing to undo.
        """
        self._folder.check_writable()
        if self.position == 0:
            raise ProjectError("there is nothing to undo")
        self._folder.move(self.position - 1)
        return self.edits[self.position]

    def redo(self) -> Edit:
        """Redo the edit that was undone last and return it. Raises ProjectError if there is none."""
        self._folder.check_writable()
        if self.position == len(self.edits):
            raise ProjectError(
                "there is nothing to redo; a new edit discards the edits that were undone before it"
            )
        self._folder.move(self.position + 1)
        return self.edits[self.position - 1]

    def _set_lock(self, first: int, last: int, inside: bool) -> None:
        draft = Draft(self._folder)
        locked = with_span(draft.snapshot.locked, first, last, inside)
        if locked == draft.snapshot.locked:
            raise ProjectError(f"{_frames(first, last)} {'already' if inside else 'not'} locked")
        draft.snapshot = replace(draft.snapshot, locked=locked)
        draft.commit("lock" if inside else "unlock", f"frames {first} to {last}")

    def _draft_at(self, frame: int) -> Draft:
        """A draft for a change of one frame, which must exist and not be locked."""
        draft = Draft(self._folder)
        self._check_frame(frame)
        if draft.snapshot.is_locked(frame):
            raise ProjectError(f"frame {frame} is locked; unlock it first")
        return draft

    def _give(self, draft: Draft, frame: int, mask: Mask, ids: tuple[int, ...]) -> None:
        draft.put(frame, mask.astype(np.uint8), dict.fromkeys(ids, 1.0))
        given = draft.snapshot.given
        named = tuple(sorted({*given.get(frame, ()), *ids}))
        draft.snapshot = replace(draft.snapshot, given=given | {frame: named})

    def _given(self, mask: str | Path | Mask, resize_mask: bool, allow_empty: bool = False) -> Mask:
        if not isinstance(mask, np.ndarray):
            return read_mask(mask, self.size, resize_mask=resize_mask)
        check_mask(mask, self.size, allow_empty)
        return mask

    def _refuse_locked(self, object_id: int) -> None:
        for first, last in self._folder.snapshot.locked:
            for frame in range(first, last + 1):
                mask = self.mask(frame)
                if mask is not None and (mask == object_id).any():
                    raise ProjectError(
                        f"frame {frame} is locked and shows object {object_id}; unlock it first, or remove the "
                        f"object from locked frames too with ",
                        Option("include_locked"),
                    )

    def _check_objects(self, ids: Collection[int]) -> None:
        unknown = sorted(set(ids) - set(self.objects))
        if unknown:
            have = ", ".join(map(str, self.objects)) or "none"
            raise ProjectError(
                f"there is no object {unknown[0]} in the project (it has {have}); add it first"
            )

    def _check_span(self, first: int, last: int | None) -> int:
        last = first if last is None else last
        if not 0 <= first <= last:
            raise ProjectError(
                f"frames {first} to {last} are not a span; expected the earlier frame first, counted from 0"
            )
        return last

    def _check_frame(self, frame: int) -> None:
        """Raises VideoError unless the video has the frame; reads it only where its length is an estimate."""
        video = self._folder.head.video
        if frame >= 0 and video.frames is not None and frame < video.frames and video.exact:
            return
        if frame < 0 or (video.exact and video.frames is not None):
            raise VideoError(f"the video has no frame {frame}: it has {video.frames} frames, counted from 0")
        if video.frames is not None and frame < video.frames - ESTIMATE_MARGIN:
            return
        with video.open(self.path) as reader:
            FrameAccess(reader).at([frame])


def _frames(first: int, last: int) -> str:
    return f"frame {first} is" if first == last else f"frames {first} to {last} are"
