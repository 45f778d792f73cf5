"""The folder of a project on disk: its layout, how it is opened when something is wrong, and how an edit is committed.

project.json          the head: the video, the edits, how many of them are in effect
history/00007.json    the snapshot after edit 7: objects, key frames, locks, pages
pages/ab/….json       a thousand frames each: their masks, and the edits that wrote them
masks/ab/….png        the masks, indexed PNGs

Only project.json is ever replaced by other content; everything else is added under new names. One os.replace therefore
commits an edit, and a crash can only leave files behind that nothing refers to. What project.json will refer to is
synced to the disk before, so that this holds for a loss of power too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from limpet.core.errors import MaskError, OutputError, ProjectError
from limpet.core.files import atomic_path, output_error, sync
from limpet.core.json_text import read_json, read_text
from limpet.core.masks import decode_mask
from limpet.core.tracker_protocol import Mask
from limpet.project.project_file import Edit, Head, check_version, read_head, write_head
from limpet.project.snapshot import OnPage, Snapshot, Table, read_snapshot, write_snapshot
from limpet.project.store import Store
from limpet.project.video_reference import VideoReference

HEAD = "project.json"
_UNKNOWN_VIDEO = VideoReference("", 0, "", (0, 0), None, False)


def is_project(path: Path) -> bool:
    """Whether a folder is a project, perhaps a damaged one."""
    return (path / HEAD).is_file() or (path / "history").is_dir()


class Folder:
    """An open project folder.

    Attributes:
        head: the content of project.json.
        snapshot: the current one. table: its frames.
        problems: what is wrong, one sentence each. If there is any, nothing can be changed.
    """

    def __init__(self, path: Path, head: Head, text: str) -> None:
        self.path, self.head, self._text = path, head, text
        self.masks = Store(path / "masks", ".png")
        self.pages = Store(path / "pages", ".json")
        self.problems: list[str] = []
        self.snapshot = Snapshot()
        self.table = Table(self.pages, {})

    @classmethod
    def create(cls, path: Path, video: VideoReference) -> Folder:
        """Create a project in a folder that is new or empty.

        Raises:
            OutputError: the folder is not empty, or cannot be written.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise OutputError(f"{path} exists and is not empty; choose another folder for the project")
        except OSError as error:
            raise output_error(error, path) from error
        folder = cls(path, Head(video), "")
        folder._write_head(folder.head)
        return folder

    @classmethod
    def open(cls, path: Path, earlier: Folder | None = None, on_page: OnPage | None = None) -> Folder:
        """Open as much as can be read. Nothing is written.

        Args:
            earlier: the same folder as it was opened before; its pages that still count are not read again.
            on_page: called with each page that is read; see ``Table.leave_out_broken``.

        Raises:
            ProjectError: there is no project, or nothing of it can be read.
        """
        if not is_project(path):
            what = "holds no project (no project.json)" if path.is_dir() else "does not exist"
            raise ProjectError(f"{path} {what}; make one with: limpet project new {path} VIDEO")
        try:
            text = read_text(path / HEAD)
            folder = cls(path, read_head(text), text)
        except (OSError, ValueError) as error:
            return cls._rescue(path, f"{path / HEAD} is not valid: {error}")
        try:
            check_version(folder.head)
        except ProjectError as error:
            folder.problems.append(str(error))
        if earlier is not None:
            folder.table = earlier.table
        folder._load(on_page)
        return folder

    def mask(self, digest: str) -> Mask:
        """A stored mask, uint8 (H, W) of the video's size.

        Raises:
            ProjectError: it is missing, damaged, or not a mask of this video.
        """
        data = self.masks.get(digest)
        try:
            return decode_mask(data, self.head.video.size if self.head.video.path else None)
        except MaskError as error:
            raise ProjectError(f"{self.masks.path(digest)} is not a mask of the project: {error}") from error

    def check_writable(self) -> None:
        """Raises ProjectError if the folder is open for reading only, or was changed by another program."""
        if self.problems:
            raise ProjectError(
                f"{self.path} is open for reading only: {self.problems[0]}"
                + (f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else "")
            )
        if not self.is_current():
            raise ProjectError(
                f"{self.path} was changed by another program since it was opened; open it again"
            )

    def is_current(self) -> bool:
        """Whether project.json is what this one knows. Raises ProjectError if it can no longer be read."""
        try:
            return read_text(self.path / HEAD) == self._text
        except (OSError, ValueError) as error:
            raise ProjectError(f"{self.path / HEAD} can no longer be read: {error}") from error

    def commit(self, snapshot: Snapshot, edit: Edit) -> None:
        """Commit an edit; undone edits are discarded. The earlier state stays in effect until the head is replaced.

        Raises:
            ProjectError, OutputError: nothing was changed.
        """
        with self._exclusive():
            self.check_writable()
            self.masks.sync()
            self.pages.sync()
            self._write_snapshot(snapshot, edit.number)
            self._write_head(self.head.with_edit(edit))
        self._use(snapshot)

    def move(self, position: int) -> None:
        """Undo or redo: put the first ``position`` edits into effect. Raises ProjectError, OutputError."""
        with self._exclusive():
            self.check_writable()
            head = replace(self.head, position=position)
            snapshot = self.read_snapshot(head.current)
            self._write_head(head)
        self._use(snapshot)

    def forget(self, edits: tuple[Edit, ...], base: int) -> None:
        """Discard the oldest edits: ``edits`` remain, and ``base`` is the snapshot before them."""
        with self._exclusive():
            self.check_writable()
            dropped = len(self.head.edits) - len(edits)
            position = self.head.position - dropped
            self._write_head(replace(self.head, edits=edits, base=base, position=position))

    def set_video(self, video: VideoReference) -> None:
        """Record where the video is or how long it is; not an edit. Raises ProjectError, OutputError."""
        if video != self.head.video:
            self._replace_head(video=video)

    def set_extra(self, name: str, value: Any) -> None:
        """Set an entry that other programs keep as it is; not an edit. Raises ProjectError, OutputError."""
        if self.head.unknown.get(name) != value:
            self._replace_head(unknown=self.head.unknown | {name: value})

    def snapshot_path(self, number: int) -> Path:
        """The path of the snapshot after edit ``number``."""
        return self.path / "history" / f"{number:05d}.json"

    def read_snapshot(self, number: int) -> Snapshot:
        """The snapshot after edit ``number``. Raises ProjectError if it is missing or damaged."""
        if number == 0:
            return Snapshot()
        path = self.snapshot_path(number)
        try:
            return read_snapshot(read_text(path))
        except FileNotFoundError as error:
            raise ProjectError(
                f"{path} is missing: the folder was copied incompletely; copy it again"
            ) from error
        except (OSError, ValueError) as error:
            raise ProjectError(f"{path} is not valid: {error}") from error

    def _load(self, on_page: OnPage | None) -> None:
        """Read the current snapshot, or the nearest earlier one that can be read."""
        before = [edit.number for edit in self.head.edits[: self.head.position]]
        for number in [*reversed(before), self.head.base]:
            try:
                self._use(self.read_snapshot(number))
                break
            except ProjectError as error:
                self.problems.append(str(error))
        self.problems += self.table.leave_out_broken(on_page)

    @classmethod
    def _rescue(cls, path: Path, problem: str) -> Folder:
        """Without a head: open the newest intact snapshot, for reading only."""
        folder = cls(path, Head(_UNKNOWN_VIDEO), "")
        for file in sorted((path / "history").glob("[0-9]*.json"), reverse=True):
            try:
                number = int(read_json(file)["edit"])
                folder._use(folder.read_snapshot(number))
            except (OSError, ValueError, KeyError, TypeError, ProjectError):
                continue
            folder.problems = [
                f"{problem}; showing the newest snapshot instead ({file.name}); restore an intact {HEAD} to edit"
            ]
            folder.problems += folder.table.leave_out_broken()
            return folder
        raise ProjectError(f"{problem}; and no snapshot in {path / 'history'} can be read either")

    def _use(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.table = Table(self.pages, snapshot.pages, self.table)

    def _replace_head(self, **changes: Any) -> None:
        with self._exclusive():
            self.check_writable()
            self._write_head(replace(self.head, **changes))

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """No other program commits between the check and the write. The lock is the folder's own and leaves no file."""
        if sys.platform == "win32":
            yield
            return
        import fcntl

        try:
            handle = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise output_error(error, self.path) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _write_snapshot(self, snapshot: Snapshot, number: int) -> None:
        path = self.snapshot_path(number)
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise output_error(error, path) from error
        with atomic_path(path) as temporary:
            temporary.write_text(write_snapshot(snapshot, number), encoding="utf-8")
            sync(temporary)

    def _write_head(self, head: Head) -> None:
        text = write_head(head)
        with atomic_path(self.path / HEAD) as temporary:
            temporary.write_text(text, encoding="utf-8")
            sync(temporary)
        sync(self.path)
        self.head, self._text = head, text
