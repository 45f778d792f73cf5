"""The protocol of MOSE (Ding et al., ICCV 2023), whose validation labels are on a server."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from limpet.core.errors import DataError
from limpet.data.layouts import VideoFolders, subfolders
from limpet.evaluation.metrics import region_and_boundary
from limpet.evaluation.mose_measures import smoothed_region_and_adaptive_boundary
from limpet.evaluation.protocols.begins import first_masks
from limpet.evaluation.protocols.evaluation_protocol import (
    ArchiveLayout,
    EvaluationProtocol,
    ProtocolOptions,
    RuleSource,
    files_of,
    require_labels,
)
from limpet.evaluation.video_task import LabelMapFiles, TaskObject, VideoTask

_API = "https://github.com/henghuiding/MOSE-api"


class MoseProtocol(EvaluationProtocol):
    """MOSE: a split is a folder of the root, or the root itself; the name of one video is a split, too."""

    key = "mose"
    title = "MOSE"
    layout = (
        "MOSE: valid/JPEGImages/VIDEO/*.jpg and valid/Annotations/VIDEO/*.png, or these two folders in ROOT"
    )
    default_split = "valid"
    rules = (
        RuleSource("the first mask of each object is given", f"{_API} README.md, File Structure"),
        RuleSource(
            "the first and the last frame of a video are not scored",
            f"{_API} MOSEv2/sam2_rcms/tools/score.py: frames 1 to length - 2",
        ),
        RuleSource(
            "every object is scored in all of these frames, absent or not; ids may have holes",
            f"{_API} MOSEv2/sam2_rcms/tools/score.py: one mask is compared per id of meta.json",
        ),
        RuleSource(
            "version 2: J with one pixel more, and F (with a dot) whose tolerance grows with the object",
            f"{_API} MOSEv2/sam2_rcms/tools/metricsv2.py",
        ),
    )
    archive = ArchiveLayout(
        "https://codalab.lisn.upsaclay.fr/competitions/10703 (version 2: https://www.codabench.org/competitions/10062)",
        "",
        "https://github.com/hkchengrex/Cutie cutie/inference/utils/results_utils.py, make_zip: the folders of the "
        "videos lie directly inside the zip",
    )

    def __init__(
        self, root: Path | str, split: str | None = None, options: ProtocolOptions | None = None
    ) -> None:
        super().__init__(root, split, options)
        if self.options.version == 2:
            self.boundary_name = "F\u0307"

    def names(self) -> tuple[str, ...]:
        return tuple(self._videos)

    def task(self, name: str) -> VideoTask:
        files = files_of(self._videos[name])
        if len(files.frames) < 3:
            raise DataError(f"video '{name}' has {len(files.frames)} frames; at least 3 are needed")
        begins = first_masks(files)
        between = tuple(range(1, len(files.frames) - 1))
        labelled = require_labels(files, list(begins.values()), between)
        return VideoTask(
            name,
            files.frames,
            tuple(TaskObject(i, i, at, between if labelled else ()) for i, at in begins.items()),
            LabelMapFiles(files.masks, has_void=True),
            files.listed,
            labelled,
            measure=region_and_boundary
            if self.options.version == 1
            else smoothed_region_and_adaptive_boundary,
        )

    @property
    def label(self) -> str:
        return f"{self.title}{' 2' * (self.options.version == 2)}, {self.split}"

    @cached_property
    def _videos(self) -> dict[str, VideoFolders]:
        folder = self.root / self.split if (self.root / self.split / "JPEGImages").is_dir() else self.root
        frames, masks = folder / "JPEGImages", folder / "Annotations"
        names = subfolders(frames)
        if folder == self.root and self.split in names:
            names = [self.split]
        elif folder == self.root and (not names or self.split not in ("all", self.default_split)):
            raise self.unknown_split()
        nested = next((name for name in names if subfolders(frames / name)), None)
        if nested:
            raise DataError(
                f"{frames / nested} holds folders instead of the frames of a video; expected {self.layout}"
            )
        videos = {name: VideoFolders(name, frames / name, masks / name) for name in names}
        for video in videos.values():  # all are looked at first, so that a gap is known before the work
            files_of(video)
        return videos
