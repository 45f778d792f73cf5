"""The protocol of YouTube-VOS 2018 and 2019 (Xu et al., 2018), whose validation labels are on a server."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from limpet.core.errors import DataError
from limpet.core.json_text import read_json
from limpet.core.limits import limits
from limpet.data.layouts import VideoFolders, subfolders
from limpet.evaluation.protocols.begins import first_masks
from limpet.evaluation.protocols.evaluation_protocol import (
    ALL_FRAMES,
    ArchiveLayout,
    EvaluationProtocol,
    ProtocolOptions,
    RuleSource,
    VideoFiles,
    files_of,
    require_labels,
)
from limpet.evaluation.video_task import LabelMapFiles, TaskObject, VideoTask
from limpet.video.image_reader import folder_images

_PAPER = "Xu et al., 2018, https://arxiv.org/abs/1809.03327"
_VERSIONS = {474: "2018", 507: "2019"}
"""Number of validation videos -> version (https://youtube-vos.org/dataset/vos)."""


class YouTubeVosProtocol(EvaluationProtocol):
    """YouTube-VOS: ``valid/`` has the frames that are asked for (6 fps), ``valid_all_frames/`` all of them (30 fps)."""

    key = "youtube-vos"
    title = "YouTube-VOS"
    layout = (
        "YouTube-VOS: valid/JPEGImages/VIDEO/*.jpg, valid/Annotations/VIDEO/*.png, valid/meta.json, and for all "
        "frames valid_all_frames/JPEGImages/VIDEO/*.jpg"
    )
    default_split = "valid"
    own_field, other_field, other = "frames", "frame_range", "lvos"
    """What an object of meta.json has; what it has in another benchmark, and that one's name."""
    rules = (
        RuleSource(
            "an object begins in the first frame whose mask shows it, which may be in the middle of a video; 0 there "
            "means 'no label', not background",
            "https://github.com/z-x-yang/CFBI issue 6; https://github.com/hkchengrex/STCN issue 142",
        ),
        RuleSource("masks of the listed frames (6 fps) are asked for", "https://youtube-vos.org/dataset/vos"),
        RuleSource("G is the mean of J and F over seen and over unseen categories", f"{_PAPER}, section 4"),
        RuleSource(
            "an object is scored in the listed frames after its first one, up to the last one that meta.json lists for "
            "it",
            "the server's code is not public; LVOS, which follows YouTube-VOS, takes the same range: "
            "https://github.com/LingyiHongfd/lvos-evaluation lvos/evaluation.py",
        ),
    )
    archive = ArchiveLayout(
        "https://codalab.lisn.upsaclay.fr/competitions/6066 (2019), 7685 (2018)",
        "Annotations",
        "https://github.com/hkchengrex/Cutie cutie/inference/utils/results_utils.py, make_zip: one folder Annotations "
        "with the folders of the videos",
    )

    def __init__(
        self, root: Path | str, split: str | None = None, options: ProtocolOptions | None = None
    ) -> None:
        super().__init__(root, split, options)
        self.folder = self.root / self.split
        if not (self.folder / "JPEGImages").is_dir():
            raise self.unknown_split()

    def names(self) -> tuple[str, ...]:
        return self._names

    def task(self, name: str) -> VideoTask:
        files = self._files(name)
        described = (self._described or {}).get(name, {}).get("objects")
        wanted = None if described is None else {_number(key, name) for key in described}
        begins = first_masks(files, wanted)
        objects = [
            self._object(files, number, at, (described or {}).get(str(number), {}))
            for number, at in begins.items()
        ]
        needed = sorted({index for each in objects for index in each.scored})
        # a video whose every mask begins an object shows nothing else in it: 0 is no label there
        labelled = set(files.masks) != set(begins.values()) and bool(needed)
        if not (labelled and require_labels(files, list(begins.values()), needed)):
            labelled, objects = False, [replace(each, scored=(), zeros=0) for each in objects]
        return VideoTask(
            name,
            files.frames,
            tuple(objects),
            LabelMapFiles(files.masks, has_void=True),
            files.listed,
            labelled,
            notes=tuple(
                f"{name}: meta.json names object {number}, but no mask shows it: left out"
                for number in sorted((wanted or set()) - set(begins))
            ),
        )

    @property
    def all_frames(self) -> Path:
        """Folder of the frames that the tracker sees."""
        return self.root / f"{self.split}{ALL_FRAMES}" / "JPEGImages"

    @property
    def sees_all(self) -> bool:
        """Whether the tracker sees all frames rather than the listed ones. Raises DataError where they are missing."""
        there = self.all_frames.is_dir()
        if self.options.frames == "all" and not there:
            raise DataError(
                f"there is no folder {self.all_frames} with all frames; unpack {self.split}{ALL_FRAMES} there, or "
                "evaluate on the listed frames: --frames listed"
            )
        return there and self.options.frames != "listed"

    @property
    def rate(self) -> str:
        return "all frames (30 fps)" if self.sees_all else "the listed frames (6 fps)"

    @property
    def label(self) -> str:
        version = _VERSIONS.get(len(self.names()), "") if self.split == "valid" else ""
        return f"{self.title}{' ' * bool(version)}{version}, {self.split}"

    @cached_property
    def _names(self) -> tuple[str, ...]:
        names = subfolders(self.folder / "JPEGImages")
        if self._described is not None:
            names = sorted(name for name, video in self._described.items() if video.get("objects"))
        for name in names:  # all are looked at first, so that a gap is known before the work
            self._files(name)
        return tuple(names)

    def _files(self, name: str) -> VideoFiles:
        listed = self.folder / "JPEGImages" / name
        if not listed.is_dir():
            raise DataError(f"sequence '{name}' is listed, but has no frames: {listed} does not exist")
        frames = self.all_frames / name if self.sees_all else listed
        video = VideoFolders(name, frames, self.folder / "Annotations" / name)
        return files_of(video, [path.stem for path in folder_images(listed)])

    def _object(self, files: VideoFiles, number: int, at: int, described: dict[str, Any]) -> TaskObject:
        """The object as it is scored where labels are public."""
        category = str(described.get("category", ""))
        seen = category in self._seen if category and self._seen else None
        stems = {files.frames[index].stem: index for index in files.listed}
        last = max((stems[stem] for stem in described.get("frames", ()) if stem in stems), default=None)
        scored = tuple(i for i in files.listed if i > at and (last is None or i <= last))
        return TaskObject(number, number, at, scored, seen, category)

    @cached_property
    def _described(self) -> dict[str, Any] | None:
        """The videos of meta.json; None where there is no such list."""
        path = self.folder / "meta.json"
        if not path.is_file():
            return None
        videos = read_meta(path)
        objects = [each for video in videos.values() for each in (video.get("objects") or {}).values()]
        fields = {field for each in objects for field in each}
        if self.other_field in fields and self.own_field not in fields:
            raise DataError(
                f"{path} gives each object '{self.other_field}' instead of '{self.own_field}', as {self.other} does; "
                f"use: limpet eval {self.other}"
            )
        return videos

    @cached_property
    def _seen(self) -> frozenset[str]:
        """The categories that training shows; empty where nothing says which they are."""
        path = self.options.seen or self.root / "train" / "meta.json"
        if not path.is_file():
            if self.options.seen is not None:
                raise DataError(f"there is no file {path}; expected a meta.json, or one category per line")
            return frozenset()
        if path.suffix != ".json":
            return frozenset(
                line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()
            )
        videos = read_meta(path).values()
        return frozenset(
            str(each.get("category", "")) for video in videos for each in video.get("objects", {}).values()
        ) - {""}


def read_meta(path: Path) -> dict[str, Any]:
    """The videos of a meta.json. Raises DataError where it is not such a list."""
    try:
        videos: dict[str, Any] = read_json(path, limits().json_bytes)["videos"]
        for video in videos.values():
            for described in (video.get("objects") or {}).values():
                _check_object(described)
        return videos
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not a list of YouTube-VOS ({error!r}); download it again") from error


def _check_object(described: dict[str, Any]) -> None:
    """Raises KeyError, TypeError or ValueError for what is no object of YouTube-VOS or LVOS."""
    if not all(isinstance(frame, str) for frame in described.get("frames", [])):
        raise ValueError("frames of an object are not names")
    if "frame_range" in described:
        for edge in ("start", "end"):
            int(described["frame_range"][edge])
        int(described["frame_range"].get("frame_nums", 0))


def _number(key: str, video: str) -> int:
    try:
        return int(key)
    except ValueError as error:
        raise DataError(f"meta.json names an object '{key}' in video '{video}'; expected a number") from error
