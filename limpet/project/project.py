"""``limpet.Project``: a video whose masks are edited and propagated. Every change is one edit, which can be undone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from limpet.core.errors import ProjectError, VideoError
from limpet.core.tracker_protocol import AnyTracker
from limpet.exchange.mask_sequence import MaskSequence
from limpet.project.draft import Draft
from limpet.project.folder import Folder
from limpet.project.manual_edits import EditableProject
from limpet.project.mask_exchange import Imported, import_masks
from limpet.project.project_view import ProjectView, names_of
from limpet.project.propagation import OnFrame, Outcome, Reporting, run_jobs
from limpet.project.propagation_plan import Job, all_jobs, one_way
from limpet.project.tidy import Tidied, tidy
from limpet.project.video_reference import ESTIMATE_MARGIN, VideoReference
from limpet.results.result_folder import ResultFolder


class Project(EditableProject):
    """A video, its objects, the masks that a person gave, and the masks that were propagated from them.

    Use ``create`` or ``open`` to get one. Masks are uint8 (H, W) of object ids at the size of the video, and frames are
    counted from 0. All masks are on the disk, so that memory use does not grow with the length of the video.

    Every change is one edit. Besides the errors that its method lists, it raises
        ProjectError: the folder is open for reading only, or another program has changed it meanwhile.
        OutputError: it cannot be written. In both cases the project stays as it was.

    >>> import tempfile
    >>> import limpet
    >>> from limpet.demo.demo_clip import demo_video, first_mask
    >>> project = limpet.Project.create(tempfile.mkdtemp(), demo_video())
    >>> project.add(0, first_mask(), names={2: "cat"})
    >>> project.propagate_forwards(limpet.load("deaot-nano", enlarge=1.0), start=0, last=2).frames
    2
    >>> project.status(1), project.status(3)
    ('propagated', 'empty')
    >>> project.undo().kind
    'propagate'
    >>> project.objects
    {1: '', 2: 'cat', 3: ''}
    """

    @classmethod
    def create(cls, folder: str | Path, video: str | Path) -> Self:
        """Create a project.

        Args:
            folder: new or empty.
            video: a file, a folder of images or a pattern. It is not copied; the project stores its path relative to
                ``folder``. Put it inside to move both together.

        Raises:
            VideoError: the video cannot be read. OutputError: the folder is not empty or cannot be written.
        """
        reference = VideoReference.of(video, Path(folder))
        return cls(Folder.create(Path(folder), reference))

    def propagate(
        self,
        tracker: AnyTracker[Any],
        on_frame: OnFrame | None = None,
        reporting: Reporting | None = None,
    ) -> Outcome:
        """Update all frames that are empty or stale: from both sides between key frames, forwards after the last one.

        Args:
            tracker: from ``limpet.load`` or ``limpet.load_exported``.
            on_frame: called after each step with the number of steps done and, if known, of all steps.
            reporting: how often finished frames are committed, and who is told of each step.

        Raises:
            ProjectError: there is no object yet, or the mask of a key frame is lost.
            VideoError: the video is missing, changed or cannot be read as far as needed. What was done until then
                stays, as one edit.
        """
        if not self.objects:
            raise ProjectError("the project has no object yet; add one first: limpet project add")
        frames = self.frame_count if self._folder.head.video.exact else None

        def jobs(draft: Draft) -> list[Job]:
            return all_jobs(self._keys(), draft, tuple(self.objects), frames)

        return run_jobs(self._folder, tracker, jobs, "what was empty or stale", on_frame, reporting)

    def propagate_forwards(
        self,
        tracker: AnyTracker[Any],
        start: int,
        last: int | None = None,
        objects: Collection[int] | None = None,
        on_frame: OnFrame | None = None,
        reporting: Reporting | None = None,
    ) -> Outcome:
        """Propagate objects from a key frame towards the end.

        Args:
            start: the key frame.
            last: the last frame to write. None: for each object up to its next key frame, or the end of the video.
            objects: whose pixels may change. None: the objects of which ``start`` is a key frame.

        Raises:
            ProjectError: ``start`` is not a key frame, or shows no object. VideoError: see ``propagate``.
        """
        if last is not None and last <= start:
            raise ProjectError(f"frame {last} is not after frame {start}; to go back, propagate backwards")
        ids = self._followed([start], objects)
        job = one_way(self._keys(), start, False, ids, last)
        what = f"{names_of(ids)} forwards from frame {start}" + ("" if last is None else f" to {last}")
        return run_jobs(self._folder, tracker, lambda _: [job], what, on_frame, reporting)

    def propagate_backwards(
        self,
        tracker: AnyTracker[Any],
        start: int,
        first: int | None = None,
        objects: Collection[int] | None = None,
        on_frame: OnFrame | None = None,
        reporting: Reporting | None = None,
    ) -> Outcome:
        """Propagate objects from a key frame towards the beginning; see ``propagate_forwards``.

        Args:
            first: the first frame to write. None: for each object back to its previous key frame, or to frame 0.
        """
        if first is not None and not 0 <= first < start:
            raise ProjectError(f"frame {first} is not before frame {start}; to go on, propagate forwards")
        ids = self._followed([start], objects)
        job = one_way(self._keys(), start, True, ids, first)
        what = f"{names_of(ids)} backwards from frame {start}" + ("" if first is None else f" to {first}")
        return run_jobs(self._folder, tracker, lambda _: [job], what, on_frame, reporting)

    def propagate_between(
        self,
        tracker: AnyTracker[Any],
        left: int,
        right: int,
        objects: Collection[int] | None = None,
        on_frame: OnFrame | None = None,
        reporting: Reporting | None = None,
    ) -> Outcome:
        """Propagate objects from two key frames into the frames between them, and choose the better result per frame.

        The whole mask of each object is taken from the pass with the larger product of confidence and nearness.
        Nearness falls from 1 at the pass's own key frame to 0 at the other one, so that the masks next to a key frame
        agree with it.

        Raises:
            ProjectError: they are not key frames, or no frame lies between them. VideoError: see ``propagate``.
        """
        if right - left < 2:
            raise ProjectError(f"there is no frame between {left} and {right}; name the earlier one first")
        ids = self._followed([left, right], objects)
        job = Job(left, right - 1, ids, right)
        what = f"{names_of(ids)} between frames {left} and {right}"
        return run_jobs(self._folder, tracker, lambda _: [job], what, on_frame, reporting)

    def set_video(self, video: str | Path) -> None:
        """Set where the video is now; this is not an edit. Raises VideoError if its size or length differs."""
        reference, old = VideoReference.of(video, self.path), self._folder.head.video
        far = abs((reference.frames or 0) - (old.frames or 0)) > ESTIMATE_MARGIN
        if reference.size != old.size or (far and reference.frames is not None and old.frames is not None):
            raise VideoError(
                f"{video} is {reference.size[0]}x{reference.size[1]} with {reference.frames} frames, but the "
                f"project's video is {old.size[0]}x{old.size[1]} with {old.frames}; its masks would not fit"
            )
        self._folder.set_video(replace(reference, frames=old.frames, exact=old.exact))

    def import_masks(self, masks: MaskSequence) -> Imported:
        """Take masks of another program into the project, as one edit.

        An object of the same id is the same object; others are new. In each frame that the source has, those objects of
        which it says something are corrected where they differ, and the frame becomes a key frame of them. Everything
        else stays, locked frames too.

        Args:
            masks: from ``limpet.exchange.formats.read_masks``.

        Raises:
            MaskError: they have another size than the video, or more objects than a project can have.
            VideoError: the video does not have so many frames.
        """
        return import_masks(self._folder, masks, self._check_frame)

    def export(
        self,
        out: str | Path,
        *,
        overwrite: bool = False,
        overlay: bool = True,
        on_frame: OnFrame | None = None,
    ) -> Exported:
        """Write the result as ``limpet track`` does; see ``limpet.project.project.export``."""
        return export(self, out, overwrite=overwrite, overlay=overlay, on_frame=on_frame)

    def tidy(self, keep: int | None = None, min_age: float = 3600.0) -> Tidied:
        """Remove files that no edit refers to; see ``limpet.project.tidy.tidy``."""
        return tidy(self._folder, keep, min_age)

    def _followed(self, starts: list[int], objects: Collection[int] | None) -> tuple[int, ...]:
        keys = self._keys()
        for start in starts:
            if start < 0 or (self.frame_count is not None and start >= self.frame_count + ESTIMATE_MARGIN):
                raise VideoError(
                    f"the video has no frame {start}: it has {self.frame_count} frames, counted from 0"
                )
            if not keys.at(start):
                raise ProjectError(
                    f"frame {start} is not a key frame and has no given mask to propagate; correct or lock it first"
                )
        own = sorted({i for start in starts for i in keys.at(start)})
        ids = tuple(own if objects is None else sorted(set(objects)))
        self._check_objects(ids)
        return ids


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    frames: how many. bare: those of them without a mask, all background. notices: what else to know.
    problems: what of the project or its video could not be read, one sentence each; the report is not complete then.
    """

    folder: Path
    frames: int
    bare: tuple[int, ...]
    notices: tuple[str, ...]
    problems: tuple[str, ...] = ()


def export(
    project: ProjectView,
    out: str | Path,
    *,
    overwrite: bool = False,
    overlay: bool = True,
    on_frame: Callable[[int, int | None], None] | None = None,
) -> Exported:
    """Write ``masks/00000.png`` … for every frame of the video, ``overlay.mp4`` and the report.

    The masks are those of the project byte for byte. A frame without a mask becomes background, and is reported. So is
    one whose mask is lost; then the result is not complete, and ``problems`` says what is missing.

    Args:
        out: a new or empty folder, or with ``overwrite`` an earlier result.
        overlay: also write overlay.mp4.
        on_frame: called after each frame with the number of frames done and, if known, of all frames.

    Raises:
        VideoError: the video is missing or another one. OutputError: ``out`` cannot be used.
        ProjectError: project.json is damaged, so that the video is not known.
    """
    bare: list[int] = []
    lost: list[int] = []
    with project.open_video() as reader:
        results = ResultFolder(
            out,
            overwrite=overwrite,
            size=reader.size,
            frame_rate=reader.frame_rate,
            pixel_aspect=reader.pixel_aspect,
            object_ids=tuple(project.objects),
            info={"source": reader.name},
            overlay=overlay,
        )
        results.failures = reader.failures
        with results:
            for frame in reader:
                mask = None
                try:
                    mask = project.mask(frame.index)
                    unknown = mask is None and project.status(frame.index) == "unreadable"
                except ProjectError:
                    unknown = True
                if mask is None:
                    (lost if unknown else bare).append(frame.index)
                    mask = np.zeros(project.size, np.uint8)
                results.add(frame, mask, {} if unknown else project.confidence(frame.index))
                if on_frame is not None:
                    on_frame(results.frames_written, reader.frame_count)
            results.notices.extend(reader.notices)
            if bare:
                results.notices.append(
                    f"{len(bare)} frames have no mask and are all background: {spans(bare)}"
                )
            results.report.problems.extend(project.problems)
            if lost:
                results.report.problems.append(
                    f"{len(lost)} masks are missing or damaged, and their frames are all background: {spans(lost)}; "
                    "propagate or correct these frames"
                )
    problems = tuple(results.report.problems)
    return Exported(results.path, results.frames_written, tuple(bare), tuple(results.notices), problems)


def spans(frames: Sequence[int], most: int = 8) -> str:
    """``[0, 1, 2, 7]`` -> ``0-2, 7``; after ``most`` spans, the number of the remaining ones."""
    found: list[list[int]] = []
    for frame in frames:
        if found and frame == found[-1][1] + 1:
            found[-1][1] = frame
        else:
            found.append([frame, frame])
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in found[:most]]
    return ", ".join(texts) + (f" and {len(found) - most} more" if len(found) > most else "")
