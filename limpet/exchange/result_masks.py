"""The masks of a folder of results, or of any folder of indexed PNGs, as a sequence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from limpet.core.errors import MaskError
from limpet.core.masks import read_ids
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence, positive_rate, time_of
from limpet.exchange.untrusted import check_frame_size, object_number, open_picture, read_json
from limpet.results.video_report import MADE_BY
from limpet.video.image_reader import natural_sort


def is_result(folder: Path) -> bool:
    """Whether limpet wrote results there."""
    return (folder / "report.json").is_file() and (folder / "masks").is_dir()


def read_result(folder: Path, choice: str | None = None) -> MaskSequence:
    """The masks that ``limpet track`` or ``limpet project export`` wrote.

    Raises:
        MaskError: a mask is missing or damaged, or report.json is not limpet's.
    """
    report, where = read_json(folder / "report.json"), str(folder / "report.json")
    if not isinstance(report, dict) or report.get("made_by") != MADE_BY:
        raise MaskError(f"{where} was not made by limpet; expected a folder that limpet track wrote")
    try:
        size = check_frame_size(report["size"][0], report["size"][1], where)
        first, count, times = (
            int(report["first_frame"]),
            int(report["frames"]),
            list(map(float, report["times"])),
        )
        names = {object_number(item["id"], where): "" for item in report["objects"]}
    except (LookupError, TypeError, ValueError) as error:
        raise MaskError(f"{where} is damaged ({error!r}); run limpet track again") from error

    def frames() -> Iterator[MaskFrame]:
        for place in range(count):
            path = folder / "masks" / f"{first + place:05d}.png"
            mask = _checked(path, size)
            yield MaskFrame(first + place, times[place] if place < len(times) else time_of(place, rate), mask)

    rate = positive_rate(report.get("frame_rate"), where)
    sequence = MaskSequence(
        str(report.get("source") or folder.name), size, names, frames, first + count, rate
    )
    if not report.get("complete"):
        sequence.note(f"{folder} is the result of a run that was stopped after {count} frames")
    return sequence


def read_folder(folder: Path, choice: str | None = None) -> MaskSequence:
    """A folder of indexed PNGs, one per frame, as DAVIS and YouTube-VOS have them.

    Names that are numbers are the frames' numbers; others are counted in natural order.

    Raises:
        MaskError: there is none, or one cannot be read or has another size.
    """
    paths = natural_sort(path for path in folder.glob("*.png") if not path.name.startswith("."))
    if not paths:
        raise MaskError(f"{folder} holds no masks; expected indexed PNGs, or a result of limpet track")
    numbered = all(path.stem.isascii() and path.stem.isdigit() and len(path.stem) < 9 for path in paths)
    numbers = [int(path.stem) if numbered else place for place, path in enumerate(paths)]
    first = open_picture(paths[0], str(paths[0]))
    size = check_frame_size(first.shape[0], first.shape[1], str(paths[0]))
    ids: set[int] = set()
    for path in paths:
        ids.update(np.unique(_checked(path, size)).tolist())

    def frames() -> Iterator[MaskFrame]:
        for number, path in zip(numbers, paths, strict=True):
            yield MaskFrame(number, time_of(number, None), _checked(path, size))

    names = dict.fromkeys(sorted(ids - {0}), "")
    return MaskSequence(folder.name, size, names, frames, numbers[-1] + 1, timed=False)


def _checked(path: Path, size: tuple[int, int]) -> Any:
    mask = read_ids(path)
    if mask.shape != size:
        raise MaskError(
            f"{path} is {mask.shape[0]}x{mask.shape[1]}, but the other masks are {size[0]}x{size[1]}"
        )
    return mask
