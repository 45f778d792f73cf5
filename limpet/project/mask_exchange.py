"""Masks of projects for exchange formats, and masks of other programs into projects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from limpet.core.errors import MaskError, ProjectError, VideoError
from limpet.core.groups import object_ids
from limpet.core.tracker_protocol import Mask
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence, small_ids, time_of, with_ids
from limpet.project.draft import Draft
from limpet.project.folder import Folder
from limpet.project.project_view import ProjectView, names_of


def project_masks(project: ProjectView) -> MaskSequence:
    """The masks of a project; frames without a mask are left out.

    The times of frames come from the video. If it is missing, they are counted at 24 frames per second, and a notice
    says so.

    Raises:
        ProjectError: something of the project cannot be read. The sequence raises it too, for a mask that is lost.
    """
    if project.problems:
        raise ProjectError(f"{project.path} cannot be read whole: {'; '.join(project.problems)}")
    name, rate, length = project.path.name, None, project.frame_count
    times: list[float] | None = None
    notices: list[str] = []
    try:
        with project.open_video() as reader:
            name, rate = reader.name, reader.frame_rate
            times = [frame.time for frame in reader]
        length = len(times)
    except VideoError as error:
        notices.append(f"the times of frames are not known and counted at 24 per second: {error}")

    def frames() -> Iterator[MaskFrame]:
        bare = 0
        for index in range(length or 0):
            mask = project.mask(index)
            if mask is None:
                bare += 1
                continue
            yield MaskFrame(index, times[index] if times is not None else time_of(index, None), mask)
        if bare:
            sequence.note(
                f"{bare} frames of the project have no mask; in formats that list all frames they are empty"
            )

    sequence = MaskSequence(name, project.size, project.objects, frames, length, rate, notices)
    return sequence


@dataclass(frozen=True)
class Imported:
    """What an import changed.

    added: ids of new objects. changed: frames that became key frames, because their masks differ now.
    same: in how many frames nothing differs. locked: frames that differ but are locked, and were left as they are.
    """

    added: tuple[int, ...]
    changed: tuple[int, ...]
    same: int
    locked: tuple[int, ...]


def import_masks(folder: Folder, masks: MaskSequence, check_frame: Callable[[int], None]) -> Imported:
    """Take the masks of ``masks`` into the project in ``folder``, as one edit; see ``Project.import_masks``.

    Args:
        check_frame: raises VideoError unless the video has that frame.
    """
    draft = Draft(folder)
    masks, size = small_ids(_known_by_name(masks, draft.snapshot.objects)), folder.head.video.size
    if tuple(masks.size) != tuple(size):
        raise MaskError(
            f"the masks of {masks.name} are {masks.size[0]}x{masks.size[1]}, but the project's video is "
            f"{size[0]}x{size[1]}; export them at the size of the video"
        )
    objects, given = dict(draft.snapshot.objects), dict(draft.snapshot.given)
    known = set(objects)
    changed: list[int] = []
    locked: list[int] = []
    same = 0
    last = -1
    for frame in masks:
        last = max(last, frame.index)
        labels = frame.labels.astype(np.uint8)
        objects |= {i: masks.names.get(i, "") for i in object_ids(labels) if i not in objects}
        stated = (set(masks.names) if frame.stated is None else set(frame.stated)) & set(objects)
        ids = _differing(draft, frame.index, labels, stated)
        if frame.index not in draft.snapshot.given:  # its own mask was lost
            given.pop(frame.index, None)
        if not ids:
            same += 1
        elif draft.snapshot.is_locked(frame.index):
            locked.append(frame.index)
        else:
            kept = draft.mask_or_empty(frame.index, stated)
            kept[np.isin(kept, list(stated))] = 0
            mask = np.where(np.isin(labels, list(stated)), labels, kept)
            draft.put(frame.index, mask, dict.fromkeys(ids, 1.0))
            given[frame.index] = tuple(sorted({*given.get(frame.index, ()), *ids}))
            changed.append(frame.index)
    added = tuple(sorted(set(objects) - known))
    if changed:
        check_frame(last)
        draft.snapshot = replace(draft.snapshot, objects=objects, given=given)
        frames = f"{len(changed)} frame{'s' * (len(changed) != 1)}"
        draft.commit("import", f"{masks.name}: {frames}" + (f", new {names_of(added)}" if added else ""))
    return Imported(added if changed else (), tuple(changed), same, tuple(locked))


def _known_by_name(masks: MaskSequence, objects: Mapping[int, str]) -> MaskSequence:
    """With ids of the project's objects of the same names, where the source has no ids of its own.

    The first "cat" of the source is the first one of the project, and so on; others get free ids.
    """
    if not masks.numbered:
        return masks
    left = {name: [i for i, own in sorted(objects.items()) if own == name] for name in set(objects.values())}
    same = {i: left[name].pop(0) for i, name in masks.names.items() if left.get(name)}
    free = (i for i in count(1) if i not in objects)
    return with_ids(masks, {i: same.get(i) or next(free) for i in masks.names})


def _differing(draft: Draft, index: int, labels: Mask, stated: set[int]) -> tuple[int, ...]:
    """The stated objects whose pixels differ, or of which nothing is known in this frame yet."""
    present = draft.mask(index, stated)  # a lost one leaves the frame empty
    entry = draft.entry(index)
    if entry is None or present is None:
        return tuple(sorted(stated))
    differ = present != labels
    touched = {*object_ids(present[differ]), *object_ids(labels[differ])}
    return tuple(sorted(i for i in stated if i in touched or i not in entry.objects))
