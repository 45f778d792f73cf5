"""Check a submission by the rules that the benchmark's server publishes, before the server refuses it.

Servers give few tries, and a file that is missing, has another size or another id costs one.
"""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import DataError
from limpet.core.masks import davis_palette
from limpet.core.picture_files import open_image
from limpet.evaluation.protocols.evaluation_protocol import EvaluationProtocol
from limpet.evaluation.saved_masks import answer_files
from limpet.evaluation.submission_files import SubmissionFiles
from limpet.evaluation.video_task import VideoTask, values_in

_SHOWN = 3


@dataclass(frozen=True)
class SubmissionProblem:
    """What is wrong with a submission.

    Args:
        kind: for instance "missing frame".
        where: names of files or videos.
        advice: what was expected, and what to do.
    """

    kind: str
    where: tuple[str, ...]
    advice: str

    def __str__(self) -> str:
        shown = ", ".join(self.where[:_SHOWN])
        more = f" and {len(self.where) - _SHOWN} more" if len(self.where) > _SHOWN else ""
        return f"{self.kind}: {shown}{more}; {self.advice}"


@dataclass(frozen=True)
class CheckedSubmission:
    """The result of a check.

    Args:
        problems: what a server would refuse or score as wrong.
        remarks: what it takes, but somebody may want to know.
        videos, masks: how many are in the submission and asked for.
    """

    problems: tuple[SubmissionProblem, ...]
    remarks: tuple[SubmissionProblem, ...]
    videos: int
    masks: int


def check_submission(path: Path, protocol: EvaluationProtocol) -> CheckedSubmission:
    """Compare a submission with what the protocol asks for.

    Args:
        path: a zip file, or the folder that it is made of.

    Raises:
        DataError: it cannot be opened.
    """
    files = SubmissionFiles(path)
    found = _Findings()
    prefix = protocol.archive.prefix if protocol.archive else ""
    names = protocol.names()
    inside = _strip_prefix(files, prefix, names, found)
    asked = 0
    there: set[str] = set()
    for name in names:
        task = protocol.task(name)
        expected = _expected_files(task)
        asked += len(expected)
        own = {path: full for path, full in inside.items() if path.startswith(f"{name}/")}
        there |= set(own)
        if not own:
            found.add(
                "missing video", name, "expected a folder with one PNG for each frame that is asked for"
            )
            continue
        for missing in sorted(set(expected) - set(own)):
            found.add("missing frame", missing, "expected one PNG for each frame that is asked for")
        for surplus in sorted(set(own) - set(expected)):
            found.add("surplus file", surplus, f"{_asked_frames(task)}; delete it")
        for inner in sorted(set(own) & set(expected)):
            _check_mask(files, own[inner], inner, task, expected[inner], found)
    for surplus in sorted(set(inside) - there):
        found.add("surplus file", surplus, "it belongs to no video of the split; delete it")
    masks = len(there)
    return CheckedSubmission(
        found.of(_Findings.problems), found.of(_Findings.remarks), len(names), min(masks, asked)
    )


class _Findings:
    """Problems by kind and advice, each with all the places where it was found."""

    problems, remarks = "problems", "remarks"

    def __init__(self) -> None:
        self._where: dict[tuple[str, str, str], list[str]] = {}

    def add(self, kind: str, where: str, advice: str, level: str = problems) -> None:
        self._where.setdefault((level, kind, advice), []).append(where)

    def of(self, level: str) -> tuple[SubmissionProblem, ...]:
        return tuple(
            SubmissionProblem(kind, tuple(where), advice)
            for (at, kind, advice), where in self._where.items()
            if at == level
        )


def _strip_prefix(
    files: SubmissionFiles, prefix: str, videos: tuple[str, ...], found: _Findings
) -> dict[str, str]:
    """Path below the prefix -> name in the archive; what lies elsewhere is a finding."""
    inside: dict[str, str] = {}
    for name, count in Counter(files.names).items():
        if count > 1:
            found.add("file that is there twice", name, "keep one of them")
        if not prefix:
            inside[name] = name
        elif name.startswith(f"{prefix}/"):
            inside[name.removeprefix(f"{prefix}/")] = name
        else:
            found.add(
                "file outside of the folder",
                name,
                f"the server looks in the folder {prefix}/ of the archive alone",
            )
    tops = {PurePosixPath(name).parts[0] for name in files.names if "/" in name}
    if not prefix and len(tops) == 1 and not tops & {PurePosixPath(name).parts[0] for name in videos}:
        found.add(
            "folder around the videos",
            next(iter(tops)),
            "the folders of the videos lie directly inside the zip",
        )
    return inside


def _expected_files(task: VideoTask) -> dict[str, tuple[int, int]]:
    """Path in the submission -> index of the frame, number of the object (0 for a label map)."""
    return {
        path.as_posix(): (index, number)
        for index in task.answers
        for number, path in answer_files(Path(), task, index).items()
    }


def _check_mask(
    files: SubmissionFiles, name: str, shown: str, task: VideoTask, what: tuple[int, int], found: _Findings
) -> None:
    index, number = what
    try:
        with open_image(io.BytesIO(files.read(name))) as image:
            kind, mode, palette = image.format, image.mode, image.getpalette("RGB")
            size = image.size[1], image.size[0]
            values = _values(np.asarray(image)) if size == task.size else set()
    except (OSError, SyntaxError, ValueError, DataError) as error:
        found.add("unreadable mask", shown, str(error))
        return
    if kind != "PNG":
        found.add("mask that is not a PNG", shown, f"it is a {kind} file, whatever its name says")
    elif mode != "P" and not number:
        found.add("mask without a palette", shown, f"mode {mode}; save an indexed PNG (mode P) of the ids")
    if size != task.size:
        expected = "x".join(map(str, task.size))
        found.add(
            "mask of another size", shown, f"expected {expected} (height x width), got {size[0]}x{size[1]}"
        )
        return
    if number:
        if len(values) > 2:
            found.add("mask of several objects", shown, "expected one object per file: at most two values")
        return
    if mode not in ("P", "L"):
        return
    begun = {each.number for each in task.objects if each.begins <= index}
    strange = sorted(values - begun - {0})
    if strange:
        found.add(
            "unknown id", f"{shown} ({', '.join(map(str, strange[:_SHOWN]))})",
            "ids are those of the masks that are given up to this frame",
        )  # fmt: skip
    given = task.palette() or davis_palette().ravel().tolist()
    if (
        mode == "P"
        and palette is not None
        and palette[: 3 * (max(begun) + 1)] != given[: 3 * (max(begun) + 1)]
    ):
        found.add(
            "other colours",
            shown,
            "servers read ids, not colours, so that this is harmless",
            _Findings.remarks,
        )


def _values(pixels: NDArray[Any]) -> set[int]:
    if pixels.dtype == np.uint8 and pixels.ndim == 2:
        return values_in(np.ascontiguousarray(pixels))
    return set(np.unique(pixels).tolist())


def _asked_frames(task: VideoTask) -> str:
    return f"{len(task.answers)} of {len(task.frames)} frames of '{task.name}' are asked for"
