"""The semi-supervised protocol of DAVIS 2016 and 2017 (Perazzi et al., CVPR 2016; Pont-Tuset et al., 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from limpet.core.errors import DataError
from limpet.core.masks import VOID, read_ids
from limpet.data.datasets import VideoSequence, open_dataset
from limpet.data.layouts import VideoFolders
from limpet.evaluation.protocols.evaluation_protocol import (
    ArchiveLayout,
    EvaluationProtocol,
    RuleSource,
    VideoFiles,
    files_of,
    require_labels,
)
from limpet.evaluation.video_task import LabelMapFiles, TaskObject, VideoTask, objects_of

_CODE = "https://github.com/davisvideochallenge/davis2017-evaluation"


class DavisProtocol(EvaluationProtocol):
    """DAVIS, and any data set in another layout that is scored by its rules.

    Splits: ``2016/val`` (one object), ``2017/val``, ``2017/test-dev`` (labels withheld), any list in ImageSets.
    """

    key = "davis"
    title = "DAVIS"
    layout = (
        "DAVIS: JPEGImages/480p/VIDEO/*.jpg, Annotations/480p/VIDEO/*.png, ImageSets/2017/val.txt; or any layout "
        "that training reads"
    )
    default_split = "2017/val"
    rules = (
        RuleSource("the mask of the first frame is given", f"{_CODE} davis2017/davis.py"),
        RuleSource(
            "the first and the last frame are not scored",
            f"{_CODE} davis2017/evaluation.py, evaluate: [1:-1]",
        ),
        RuleSource(
            "the objects are those of the first mask, and means are over objects",
            f"{_CODE} evaluation_method.py",
        ),
        RuleSource("2016: all ids above 0 are one object", "Perazzi et al., CVPR 2016"),
    )
    archive = ArchiveLayout(
        "https://codalab.lisn.upsaclay.fr/competitions/6812",
        "",
        f"{_CODE} evaluation_codalab.py: the folders of the sequences lie directly inside the zip, with an indexed "
        "PNG for every frame, whose indices match the first mask",
    )

    def names(self) -> tuple[str, ...]:
        return tuple(self._videos)

    def task(self, name: str) -> VideoTask:
        video = self._videos[name]
        files = files_of(video)
        return davis_task(files, video.one_object)

    @property
    def label(self) -> str:
        return f"{self.title}, {self.split}, {self.options.resolution}"

    @cached_property
    def _videos(self) -> Mapping[str, VideoFolders]:
        dataset = open_dataset(self.root, self.options.resolution)
        found = {video.name: video for video in dataset.videos(self.split)}
        for video in found.values():
            _check_files(files_of(video))
        return found


def davis_task(files: VideoFiles, one_object: bool = False) -> VideoTask:
    """The task of one video. Raises DataError: too few frames, masks that are missing, or no object."""
    name, frames = files.video.name, files.frames
    _check_files(files)
    found = objects_of(read_ids(files.masks[0]), has_void=False)
    if not found:
        raise DataError(f"sequence '{name}': its first annotation holds no object")
    merged = one_object or found == [VOID]
    ids = found[:1] if merged else [number for number in found if number != VOID]
    everything = tuple(range(len(frames)))
    labelled = require_labels(files, [0], everything)
    scored = everything[1:-1] if labelled else ()
    return VideoTask(
        name,
        frames,
        tuple(TaskObject(number, number, 0, scored) for number in ids),
        LabelMapFiles(files.masks, has_void=not merged, merged=merged),
        everything,
        labelled,
        any_id=len(ids) == 1,
    )


def task_of_sequence(sequence: VideoSequence) -> VideoTask:
    """The task of a video whose masks are all there, as ``limpet.data.evaluation_videos`` lists them."""
    where = Path(sequence.masks[0]).parent if sequence.masks else Path()
    video = VideoFolders(sequence.name, where, where, sequence.one_object)
    return davis_task(
        VideoFiles(video, sequence.frames, dict(enumerate(sequence.masks))), sequence.one_object
    )


def _check_files(files: VideoFiles) -> None:
    """Raises DataError where the video cannot be scored by the rules of DAVIS, before any mask is read."""
    name = files.video.name
    if len(files.frames) < 3:
        raise DataError(
            f"sequence '{name}' has {len(files.frames)} frames to use; at least 3 are needed, "
            f"since the first and the last are not scored"
        )
    if 0 not in files.masks:
        raise DataError(
            f"sequence '{name}' has no annotation of its first frame: expected "
            f"{files.video.masks / files.frames[0].stem}.png"
        )
    require_labels(files, [0], range(len(files.frames)))
