"""Reading a project: masks, statuses, history. Nothing here writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from limpet.core.errors import ProjectError
from limpet.core.tracker_protocol import Mask
from limpet.project.folder import Folder
from limpet.project.key_frames import Keys, Status
from limpet.project.project_file import Edit
from limpet.project.snapshot import PAGE, Entry, OnPage, Page, Snapshot, Table
from limpet.project.store import Store
from limpet.project.video_reference import VideoReference
from limpet.video.video_reader import VideoReader


class ProjectView:
    """A project for reading; see ``Project``, which adds the edits."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    @classmethod
    def open(cls, folder: str | Path, on_page: OnPage | None = None) -> Self:
        """Open a project. Nothing is written, and the video does not have to be there.

        If something is wrong with the folder, ``problems`` lists it, and the project can be read but not changed.

        Args:
            on_page: called with each page of frames as it is checked, for those who need all of them once.

        Raises:
            ProjectError: there is no project, or nothing of it can be read.
        """
        return cls(Folder.open(Path(folder), on_page=on_page))

    def reopened(self) -> Self:
        """The project as it is on the disk now, after changes by others; only what changed is read."""
        return type(self)(Folder.open(self.path, self._folder))

    @property
    def path(self) -> Path:
        """The folder."""
        return self._folder.path

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the folder, as found on opening; if there is anything, it is open for reading only."""
        return tuple(self._folder.problems)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the frames in pixels."""
        return self._folder.head.video.size

    @property
    def frame_count(self) -> int | None:
        """Frames of the video; None if unknown. For a video file it is an estimate until its end was read once."""
        return self._folder.head.video.frames

    @property
    def objects(self) -> dict[int, str]:
        """Ids in ascending order, with their names (may be empty)."""
        return dict(sorted(self._folder.snapshot.objects.items()))

    @property
    def length(self) -> int:
        """Frames to show: those of the video, and up to the last mask if its length is not known."""
        return max(self.frame_count or 0, self._masked())

    @property
    def video(self) -> VideoReference:
        """Which video it is, and where."""
        return self._folder.head.video

    @property
    def snapshot(self) -> Snapshot:
        """The objects, key frames and locks that are in effect, and the files of all masks."""
        return self._folder.snapshot

    @property
    def unreadable_pages(self) -> frozenset[int]:
        """Numbers of the pages that are damaged or missing."""
        return frozenset(self._folder.table.broken)

    def entry(self, frame: int) -> Entry | None:
        """What is known of a frame: the name of its mask, versions and confidences; None if it has no mask."""
        return self._folder.table.entry(frame)

    def before_last_edit(self) -> Table | None:
        """The frames as they were before the last edit in effect; None where there is none, or it cannot be read."""
        head = self._folder.head
        if head.position == 0:
            return None
        try:
            earlier = self._folder.read_snapshot(replace(head, position=head.position - 1).current)
        except ProjectError:
            return None
        return Table(self._folder.pages, earlier.pages, self._folder.table)

    def changed_since(self, before: ProjectView) -> list[int] | None:
        """The first and the last frame whose mask or key frames differ from ``before``; None if none does."""
        one, two = before.snapshot, self.snapshot
        frames = {f for f in one.given.keys() | two.given.keys() if one.given.get(f) != two.given.get(f)}
        pages = [
            n for n in sorted(one.pages.keys() | two.pages.keys()) if one.pages.get(n) != two.pages.get(n)
        ]
        for number in {*pages[:1], *pages[-1:]}:
            old, new = before.page(number), self.page(number)
            frames |= {f for f in old.keys() | new.keys() if old.get(f) != new.get(f)}
        for spans, others in ((one.locked, two.locked), (two.locked, one.locked)):
            frames |= {frame for span in spans if span not in others for frame in span}
        return [min(frames), max(frames)] if frames else None

    def page(self, number: int) -> Page:
        """A thousand frames, from ``number * PAGE`` on; do not change it. Raises ProjectError if it is damaged."""
        return self._folder.table.page(number)

    @property
    def masks(self) -> Store:
        """The files of the masks, by the sha256 of their bytes."""
        return self._folder.masks

    def is_current(self) -> bool:
        """Whether no other program has replaced project.json since it was opened."""
        return self._folder.is_current()

    @property
    def extra(self) -> dict[str, Any]:
        """Entries of project.json that other programs added, such as the colours of the objects."""
        return dict(self._folder.head.unknown)

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The history, oldest first; the first ``position`` edits are in effect, the others are undone."""
        return self._folder.head.edits

    @property
    def position(self) -> int:
        """How many edits are in effect."""
        return self._folder.head.position

    def mask(self, frame: int) -> Mask | None:
        """The mask of a frame, uint8 (H, W), or None if it has none. Raises ProjectError if it is damaged."""
        entry = self._folder.table.entry(frame)
        return None if entry is None else self._folder.mask(entry.mask)

    def mask_bytes(self, frame: int) -> bytes | None:
        """The mask as an indexed PNG, exactly as stored; undo restores exactly these bytes."""
        entry = self._folder.table.entry(frame)
        return None if entry is None else self._folder.masks.get(entry.mask)

    def confidence(self, frame: int) -> dict[int, float]:
        """The confidence 0..1 of each object in the frame; 1 for those whose mask was given."""
        entry = self._folder.table.entry(frame)
        return (
            {} if entry is None else {i: confidence for i, (_, confidence) in sorted(entry.objects.items())}
        )

    def status(self, frame: int) -> Status:
        """See ``limpet.project.key_frames.Keys.status``.

        "unreadable" if its page is damaged, or if it was corrected or locked and its mask is missing; any other frame
        whose mask is missing is "stale".
        """
        return self._status(self._keys(), frame)

    def statuses(self) -> Iterator[tuple[int, Status]]:
        """Every frame with its status, ascending; up to the last mask if the length of the video is not known."""
        keys = self._keys()
        for frame in range(self.length):
            yield frame, self._status(keys, frame)

    def key_frames(self, object_id: int | None = None) -> tuple[int, ...]:
        """Frames in which a person gave the mask of an object (None: of any object). Locked frames are not listed."""
        given = self._folder.snapshot.given
        return tuple(sorted(f for f, ids in given.items() if object_id is None or object_id in ids))

    def open_video(self) -> VideoReader:
        """A reader of the project's video; close it after use.

        Raises:
            VideoError: the video is missing, or is not the one that the project was made with.
            ProjectError: project.json is damaged, so that it is unknown which video it is.
        """
        if not self._folder.head.video.path:
            raise ProjectError(self.problems[0])
        return self._folder.head.video.open(self.path)

    def lost_masks(self) -> dict[int, str]:
        """The frames whose mask is missing or damaged, with a sentence for each; every mask is read."""
        found: dict[int, str] = {}
        for frame, entry in self._folder.table.entries():
            try:
                self._folder.mask(entry.mask)
            except ProjectError as error:
                found[frame] = f"the mask of frame {frame} is lost: {error}"
        return found

    def differences(self, other: ProjectView) -> Iterator[tuple[int, str]]:
        """Frames that differ from those of another project, ascending, with what differs: "mask" or "status"."""
        mine, theirs = self._keys(), other._keys()
        length = max(self.frame_count or 0, self._masked(), other.frame_count or 0, other._masked())
        for frame in range(length):
            one, two = self._folder.table.entry(frame), other._folder.table.entry(frame)
            if (one and one.mask) != (two and two.mask):
                yield frame, "mask"
            elif self._status(mine, frame) != other._status(theirs, frame):
                yield frame, "status"

    def _keys(self) -> Keys:
        return Keys(self._folder.snapshot, self._folder.table.entry)

    def _status(self, keys: Keys, frame: int) -> Status:
        table = self._folder.table
        if frame // PAGE in table.broken:
            return "unreadable"
        status, entry = keys.status(frame), table.entry(frame)
        if entry is None or self._folder.masks.has(entry.mask):
            return status
        return "unreadable" if status in ("corrected", "locked") else "stale"

    def _masked(self) -> int:
        """The index after the last frame that has a mask."""
        table = self._folder.table
        whole = [number for number in table.pages if number not in table.broken]
        return 1 + max(table.page(max(whole)), default=-1) if whole else 0


def names_of(ids: Sequence[int]) -> str:
    """``object 3`` or ``objects 1, 3``."""
    return f"object{'s' if len(ids) != 1 else ''} {', '.join(map(str, ids))}"
