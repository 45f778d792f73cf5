"""The protocol of LVOS (Hong et al., ICCV 2023; version 2, 2024): long videos, labels of the test set withheld."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from limpet.core.errors import DataError
from limpet.evaluation.protocols.evaluation_protocol import ArchiveLayout, RuleSource, VideoFiles
from limpet.evaluation.protocols.youtube_vos import YouTubeVosProtocol
from limpet.evaluation.video_task import TaskObject

_CODE = "https://github.com/LingyiHongfd/lvos-evaluation"
_STEP = 5
"""Frames are numbered in steps of 5."""


class LvosProtocol(YouTubeVosProtocol):
    """LVOS: like YouTube-VOS, but every frame is asked for, and unseen is a property of a video."""

    key = "lvos"
    title = "LVOS"
    layout = (
        "LVOS: valid/JPEGImages/VIDEO/*.jpg, valid/Annotations/VIDEO/*.png, valid/meta.json, and unseen_videos.txt in "
        "ROOT or ROOT/valid"
    )
    default_split = "valid"
    own_field, other_field, other = "frame_range", "frames", "youtube-vos"
    rules = (
        RuleSource(
            "an object begins in the first frame whose mask shows it", f"{_CODE} lvos/lvos_seperate.py"
        ),
        RuleSource(
            "an object is scored in every fifth number from start, its given frame, to before end of its frame_range",
            f"{_CODE} lvos/evaluation.py: range(start_frame, end_frame, 5)",
        ),
        RuleSource(
            "where frame_nums is larger than the number of these frames, each frame that is missing counts as 0",
            f"{_CODE} lvos/evaluation.py: the values are an array of frame_nums zeros that is filled",
        ),
        RuleSource(
            "G is the mean of J and F over seen and over unseen videos, those of unseen_videos.txt being unseen",
            f"{_CODE} evaluation_method.py, unseen_videos.txt",
        ),
    )
    archive = ArchiveLayout(
        "https://codalab.lisn.upsaclay.fr/competitions/8767",
        "Annotations",
        "https://github.com/hkchengrex/Cutie cutie/inference/utils/results_utils.py, make_zip: as for YouTube-VOS",
    )

    @property
    def sees_all(self) -> bool:
        return False

    @property
    def rate(self) -> str:
        return "every frame (6 fps)"

    @property
    def label(self) -> str:
        return f"{self.title}, {self.split}"

    def _object(self, files: VideoFiles, number: int, at: int, described: dict[str, Any]) -> TaskObject:
        unseen = self._unseen
        seen = None if unseen is None else files.video.name not in unseen
        found = described.get("frame_range")
        if found is None:
            return super()._object(files, number, at, described)
        start, end = int(found["start"]), int(found["end"])
        inside = range(start, end, _STEP)
        scored = tuple(i for i in files.listed if _frame_number(files.frames[i]) in inside)
        zeros = max(0, int(found.get("frame_nums", 0)) - len(scored))
        return TaskObject(number, number, at, scored, seen, str(described.get("category", "")), zeros)

    @cached_property
    def _unseen(self) -> frozenset[str] | None:
        for folder in (self.folder, self.root):
            path = folder / "unseen_videos.txt"
            if path.is_file():
                return frozenset(path.read_text(encoding="utf-8").split())
        return None


def _frame_number(path: Path) -> int:
    try:
        return int(path.stem)
    except ValueError as error:
        raise DataError(f"the frame {path} has no number as its name, as frames of LVOS have") from error
