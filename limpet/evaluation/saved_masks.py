"""Masks of a video on the disk, as benchmarks exchange them.

``FOLDER/VIDEO/FRAME.png`` holds one id per pixel; where masks may overlap, ``FOLDER/VIDEO/OBJECT/FRAME.png`` holds one
object.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from limpet.core.errors import DataError
from limpet.core.masks import read_ids, write_mask
from limpet.evaluation.video_task import FrameMasks, LabelMap, ObjectPlanes, VideoTask


def answer_files(folder: Path, task: VideoTask, index: int) -> dict[int, Path]:
    """Number of the object -> the file of its mask in a frame; without overlap one file under 0."""
    name = f"{task.frames[index].stem}.png"
    if not task.overlap:
        return {0: folder / task.name / name}
    return {number: folder / task.name / own / name for number, own in task.folders.items()}


def scored_files(folder: Path, task: VideoTask, index: int) -> dict[int, Path]:
    """As ``answer_files``, of the objects alone that are scored in the frame."""
    scored = {0, *(each.number for each in task.scored.get(index, ()))}
    return {number: path for number, path in answer_files(folder, task, index).items() if number in scored}


def save_answer(
    folder: Path, task: VideoTask, index: int, masks: FrameMasks, palette: list[int] | None
) -> None:
    """Write the masks of one frame in the colours ``palette`` (None: those of DAVIS). Raises OutputError."""
    for number, path in answer_files(folder, task, index).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if number:
            write_mask(path, masks.plane(number).astype(np.uint8))
        else:
            assert isinstance(masks, LabelMap)
            write_mask(path, masks.labels, palette)


def read_answer(files: Mapping[int, Path], task: VideoTask) -> FrameMasks:
    """The saved masks of one frame.

    Args:
        files: of the frame, from ``answer_files`` or ``scored_files``.

    Raises:
        DataError: they have another size than the annotations. MaskError: a file cannot be read.
    """
    found = {number: read_ids(path) for number, path in files.items()}
    for number, mask in found.items():
        if mask.shape != task.size:
            here, expected = ("x".join(map(str, shape)) for shape in (mask.shape, task.size))
            raise DataError(
                f"the prediction {files[number]} is {here}, its annotation {expected}; save it at that size"
            )
    if not task.overlap:
        return LabelMap(found[0], merged=task.any_id)
    return ObjectPlanes({number: mask > 0 for number, mask in found.items()}, task.size)


def read_scored(folder: Path, task: VideoTask, index: int) -> FrameMasks:
    """The saved masks of what is scored in a frame.

    Where masks may overlap, those of all objects; where a file is missing that is not scored, the given mask or none.

    Raises:
        DataError: see ``read_answer``. MaskError: a file cannot be read.
    """
    if not task.overlap:
        return read_answer(scored_files(folder, task, index), task)
    files = {number: path for number, path in answer_files(folder, task, index).items() if path.is_file()}
    given = task.given(index) if index in task.begins else ObjectPlanes({}, task.size)
    saved = read_answer(files, task)
    numbers = [each.number for each in task.objects]
    return ObjectPlanes(
        {number: (saved if number in files else given).plane(number) for number in numbers}, task.size
    )


def find_predictions(folder: Path, videos: tuple[str, ...]) -> Path:
    """Where in ``folder`` the folders of the videos lie: in itself, or in its only folder, such as Annotations.

    Raises:
        DataError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder of predictions {folder}; expected SEQUENCE/FRAME.png in it")
    inner = [path for path in folder.iterdir() if path.is_dir()]
    here = any((folder / name).is_dir() for name in videos)
    return inner[0] if not here and len(inner) == 1 else folder
