"""What a workspace holds of a sequence and of the runs on it: true and answered regions, frame by frame.

The toolkit writes a run as ``NAME.bin`` (little endian: a version, the number of frames, then each region) or, where it
is set so, as ``NAME.txt`` with a region a line.

Legend: T frames of a run.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limpet.core.errors import DataError
from limpet.evaluation.vot.regions import NOTHING, BoxedMask, decode_numbers, decode_region
from limpet.evaluation.vot.workspace import SEQUENCES

_SPECIAL, _BOX, _MASK = 0, 1, 3
_MASK_HEAD = "<hhHHH"
Regions = Sequence[BoxedMask | None]
"""One for each frame. None is no region: the frame that a run began with, or one whose truth is not known."""


@dataclass(frozen=True)
class VotSequence:
    """A sequence of a workspace.

    size: (H, W) in pixels.
    truth: the true regions by object, in the order of the toolkit. ignored: pixels that do not count, or None.
    anchors: see ``limpet.evaluation.vot.workspace.anchors_of``; empty where there are none.
    """

    name: str
    size: tuple[int, int]
    truth: dict[str, Regions]
    ignored: Regions | None
    anchors: Sequence[int]

    def __len__(self) -> int:
        return len(next(iter(self.truth.values())))


def read_sequences(workspace: Path) -> list[VotSequence]:
    """All sequences of a workspace. Raises DataError where one is damaged or there are none."""
    listed = workspace / SEQUENCES / "list.txt"
    if not listed.is_file():
        raise DataError(f"{workspace} has no sequences: there is no file {listed}")
    names = [line.strip() for line in listed.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [read_sequence(listed.parent / name) for name in names]


def read_sequence(folder: Path) -> VotSequence:
    """The sequence of a folder. Raises DataError for a damaged one."""
    truth = {
        path.stem.removeprefix("groundtruth_"): read_regions(path)
        for path in sorted(folder.glob("groundtruth_*.txt"))
    }
    if not truth and (folder / "groundtruth.txt").is_file():
        truth["object"] = read_regions(folder / "groundtruth.txt")
    ignored = truth.pop("_ignore", None)
    if len({len(regions) for regions in truth.values()}) != 1:
        raise DataError(f"the sequence {folder} has no groundtruth*.txt, or several of different lengths")
    anchors = folder / "anchor.value"
    values = anchors.read_text().splitlines() if anchors.is_file() else []
    return VotSequence(
        folder.name,
        _size(folder),
        truth,
        ignored,
        [int(np.sign(float(value.strip() or 0))) for value in values],
    )


def read_run(stem: Path) -> Regions | None:
    """The regions of a run, by its path without a suffix; None where it has not been made yet."""
    for suffix in (".txt", ".bin"):
        path = stem.with_name(stem.name + suffix)
        if path.is_file():
            return read_regions(path)
    return None


def read_regions(path: Path) -> Regions:
    """The regions of a file. Raises DataError for a damaged one, or one of boxes or polygons."""
    if path.suffix == ".bin":
        return _read_binary(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        None if _is_special(line) else decode_region(line.strip(), f"line {number} of {path}")
        for number, line in enumerate(lines, start=1)
    ]


def _is_special(line: str) -> bool:
    """Whether a line is a code, or numbers that are none, instead of a region."""
    return not line.startswith("m") and ("," not in line or "nan" in line.lower())


def _read_binary(path: Path) -> Regions:
    data = path.read_bytes()
    found: list[BoxedMask | None] = []
    try:
        (_, count), at = struct.unpack_from("<hI", data), struct.calcsize("<hI")
        for _ in range(count):
            kind, at = data[at], at + 1
            if kind == _SPECIAL:
                found.append(None)
                at += 4
            elif kind == _MASK:
                x, y, width, height, runs = struct.unpack_from(_MASK_HEAD, data, at)
                at += struct.calcsize(_MASK_HEAD)
                lengths = np.frombuffer(data, "<u2", runs, at).astype(int).tolist()
                found.append(decode_numbers([x, y, width, height, *lengths]))
                at += 2 * runs
            elif kind == _BOX:
                found.append(_empty_box(struct.unpack_from("<ffff", data, at), path))
                at += 16
            else:
                raise DataError(f"{path} has a polygon or an unknown region; limpet works with masks alone")
    except (struct.error, IndexError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}); remove it and run the toolkit again") from error
    return found


def _empty_box(box: Sequence[float], path: Path) -> BoxedMask:
    if box[2] > 0 and box[3] > 0:
        raise DataError(f"{path} has boxes; limpet works with masks alone")
    return NOTHING


def _size(folder: Path) -> tuple[int, int]:
    """(H, W) from the file ``sequence``, or from its first image."""
    lines = (folder / "sequence").read_text(encoding="utf-8").splitlines()
    facts = dict(line.partition("=")[::2] for line in lines if "=" in line)
    if "height" in facts and "width" in facts:
        return int(facts["height"]), int(facts["width"])
    pattern = facts.get("channels.color", "color/%08d.jpg")
    from limpet.video.image_reader import read_image

    height, width = read_image(folder / (pattern % 1)).shape[:2]
    return height, width
