"""The protocol of SA-V (Ravi et al., SAM 2, 2024): masks may overlap, so that each object has files of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from limpet.core.errors import DataError
from limpet.core.masks import read_ids
from limpet.data.layouts import names_in, subfolders
from limpet.evaluation.protocols.evaluation_protocol import (
    EvaluationProtocol,
    ProtocolOptions,
    RuleSource,
    mask_files,
)
from limpet.evaluation.video_task import ObjectMaskFiles, TaskObject, VideoTask
from limpet.video.image_reader import folder_images

_CODE = "https://github.com/facebookresearch/sam2 sav_dataset/"
FRAMES, MASKS = "JPEGImages_24fps", "Annotations_6fps"


class SaVProtocol(EvaluationProtocol):
    """SA-V: a split is a folder of the root, or the root itself. Labels of both splits are public."""

    key = "sa-v"
    title = "SA-V"
    layout = (
        f"SA-V: sav_val/{FRAMES}/VIDEO/*.jpg, sav_val/{MASKS}/VIDEO/OBJECT/*.png, sav_val/sav_val.txt; or these in "
        "ROOT"
    )
    default_split = "sav_val"
    rules = (
        RuleSource("the tracker sees all 24 frames per second", f"{_CODE}README.md"),
        RuleSource(
            "an object begins in the first annotated frame that shows it", f"{_CODE}README.md, masklets"
        ),
        RuleSource(
            "annotated frames are scored (6 per second), the first and the last one of each object left out",
            f"{_CODE}README.md; utils/sav_benchmark.py: all_frames[1:-1]",
        ),
        RuleSource(
            "masks may overlap: every object is compared on its own",
            f"{_CODE}utils/sav_benchmark.py, scan_vid_folder",
        ),
        RuleSource(
            "an object counts from the first scored frame on in which truth or prediction show it",
            f"{_CODE}utils/sav_benchmark.py, Evaluator.feed_frame",
        ),
    )

    def __init__(
        self, root: Path | str, split: str | None = None, options: ProtocolOptions | None = None
    ) -> None:
        super().__init__(root, split, options)
        inside = self.root / self.split
        self.folder = inside if (inside / FRAMES).is_dir() else self.root
        if not (self.folder / FRAMES).is_dir() or not (self.folder / MASKS).is_dir():
            raise DataError(f"there is no split '{self.split}' in {self.root}; expected {self.layout}")

    def names(self) -> tuple[str, ...]:
        return self._names

    def task(self, name: str) -> VideoTask:
        frames = tuple(folder_images(self.folder / FRAMES / name))
        index = {path.stem: position for position, path in enumerate(frames)}
        paths: dict[int, dict[int, Path]] = {}
        objects: list[TaskObject] = []
        folders, notes = {}, []
        for folder in subfolders(self.folder / MASKS / name):
            files = self._files(name, folder, index)
            begins = _first_sight(files)
            if begins is None:
                notes.append(f"{name}: no mask shows object {folder}: left out")
                continue
            number = len(objects) + 1
            paths[number], folders[number] = files, folder
            objects.append(TaskObject(_object_id(folder, name), number, begins, tuple(sorted(files))[1:-1]))
        for number, files in paths.items():
            inside = {at for each in paths.values() for at in each if min(files) < at < max(files)}
            if inside - set(files):
                gaps = len(inside - set(files))
                notes.append(
                    f"{name}: object {folders[number]} has no mask in {gaps} frames that others have: not scored"
                )
        if not objects:
            raise DataError(f"video '{name}': no mask in {self.folder / MASKS / name} shows an object")
        return VideoTask(
            name,
            frames,
            tuple(objects),
            ObjectMaskFiles(paths),
            tuple(sorted({at for files in paths.values() for at in files})),
            from_first_sight=True,
            overlap=True,
            folders=folders,
            notes=tuple(notes),
        )

    def _files(self, name: str, folder: str, index: Mapping[str, int]) -> dict[int, Path]:
        """The masks of one object by the index of their frame. Raises DataError where they belong to no frame."""
        files = mask_files(self.folder / MASKS / name / folder)
        strange = [path.stem for path in files if path.stem not in index]
        if strange or not files:
            raise DataError(
                f"object {folder} of video '{name}' has {len(files)} masks, of which {len(strange)} belong to no "
                f"frame: {', '.join(strange[:5])}"
            )
        return {index[path.stem]: path for path in files}

    @property
    def rate(self) -> str:
        return "all frames (24 fps)"

    @cached_property
    def _names(self) -> tuple[str, ...]:
        there = subfolders(self.folder / MASKS)
        listed = self.folder / f"{self.split}.txt"
        names = names_in(listed) if listed.is_file() else [self.split] if self.split in there else there
        for name in names:
            if not (self.folder / FRAMES / name).is_dir() or not subfolders(self.folder / MASKS / name):
                raise DataError(
                    f"video '{name}' lacks frames or objects: expected {self.folder / FRAMES / name} and a folder per "
                    f"object in {self.folder / MASKS / name}"
                )
        return tuple(names)


def _first_sight(files: Mapping[int, Path]) -> int | None:
    """Index of the first frame whose mask shows the object; None where there is none."""
    return next((index for index in sorted(files) if read_ids(files[index]).any()), None)


def _object_id(folder: str, video: str) -> int:
    try:
        return int(folder)
    except ValueError as error:
        raise DataError(
            f"video '{video}' has an object folder '{folder}'; expected a number, as 000"
        ) from error
