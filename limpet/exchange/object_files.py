"""Formats with files per object: ``objects.json`` beside them says which object each is, and the times of frames."""

from __future__ import annotations

import json
import re
from array import array
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from limpet.core.errors import MaskError
from limpet.exchange.mask_sequence import MaskSequence, positive_rate, time_of
from limpet.exchange.untrusted import check_counts, check_frame_size, object_number, read_json, safe_name

MANIFEST = "objects.json"
_OWN_NAME = re.compile(r"([0-9]{1,5})(?:-(.+))?")


@dataclass(frozen=True)
class ObjectFiles:
    """The content of objects.json.

    video: its name. size: (H, W). files: id -> the name of the object's file or folder, without any folder before it.
    names: id -> name. times: seconds, one per frame of the video. frame_rate: or None.
    """

    video: str
    size: tuple[int, int]
    files: dict[int, str]
    names: dict[int, str]
    times: list[float]
    frame_rate: Fraction | None

    def time(self, index: int) -> float:
        """Of a frame."""
        return self.times[index] if index < len(self.times) else time_of(index, self.frame_rate)


def file_names(sequence: MaskSequence, suffix: str = "") -> dict[int, str]:
    """A name for the file of each object: ``007-cat.mov``, whatever its name is made of."""
    return {
        i: f"{i:03d}{f'-{safe_name(name)}' if name else ''}{suffix}" for i, name in sequence.names.items()
    }


def write_manifest(folder: Path, sequence: MaskSequence, files: dict[int, str], times: array[float]) -> None:
    """Write objects.json."""
    content = {
        "made_by": "limpet",
        "video": sequence.name,
        "size": list(sequence.size),
        "frame_rate": sequence.rate_text,
        "objects": [{"id": i, "name": sequence.names[i], "file": name} for i, name in files.items()],
        "frame_times": times.tolist(),
    }
    (folder / MANIFEST).write_text(json.dumps(content, ensure_ascii=False) + "\n", "utf-8")


def read_manifest(folder: Path) -> ObjectFiles:
    """Read objects.json.

    Raises:
        MaskError: it is damaged, or names a file that does not lie in ``folder``.
    """
    path = folder / MANIFEST
    content, where = read_json(path), str(path)
    try:
        size = check_frame_size(content["size"][0], content["size"][1], where)
        files = {object_number(item["id"], where): str(item["file"]) for item in content["objects"]}
        names = {object_number(item["id"], where): str(item["name"]) for item in content["objects"]}
        times = [float(time) for time in content["frame_times"]]
        video = str(content["video"])
    except (LookupError, TypeError, ValueError) as error:
        raise MaskError(f"{where} is damaged ({error!r}); convert the masks again") from error
    check_counts(len(files), len(times), where)
    for name in files.values():
        if name != Path(name).name or name.startswith(".") or "\\" in name or "\0" in name:
            raise MaskError(f"{where} names the file {name!r}, which does not lie beside it")
    rate = positive_rate(content.get("frame_rate"), where)
    return ObjectFiles(video, size, files, dict(sorted(names.items())), times, rate)


def object_of(stem: str) -> tuple[int, str]:
    """Id and name of an object from the name of its file alone: ``007-cat`` -> 7 and "cat"; others are object 1."""
    match = _OWN_NAME.fullmatch(stem)
    if match is None or not 0 < int(match[1]) < 1 << 16:
        return 1, stem
    return int(match[1]), match[2] or ""
