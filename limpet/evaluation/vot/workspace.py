"""Workspaces of VOT's toolkit: its settings, the list of trackers, and videos with masks as its sequences.

    WORKSPACE/config.yaml                    the stack; written as JSON, which is YAML, too
    WORKSPACE/trackers.ini                   a section for each tracker
    WORKSPACE/sequences/list.txt             a name a line
    WORKSPACE/sequences/NAME/                sequence, color/00000001.jpg …, groundtruth.txt, anchor.value
    WORKSPACE/results/TRACKER/EXPERIMENT/    made by the toolkit

Shapes: H W pixels.
"""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import DataError, Option, OutputError
from limpet.core.files import atomic_path, output_error
from limpet.core.masks import without_void
from limpet.data.datasets import VideoSequence
from limpet.evaluation.vot.regions import encode_region
from limpet.evaluation.vot.stacks import EAO_INTERVAL, STACKS, VotStack

CONFIG, TRACKERS, SEQUENCES = "config.yaml", "trackers.ini", "sequences"
ANCHOR_DISTANCE = 50
"""Frames between two anchors in VOT 2020 to 2022."""
FRAMES_PER_SECOND = 24.0
TIMEOUT = 300
"""Seconds that the toolkit waits for an answer; its own 30 are not enough for a slow processor."""
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class TrackerEntry:
    """A tracker in trackers.ini.

    name: letters, digits, - and _; results lie below results/NAME.
    command: program and arguments, with absolute paths: the toolkit starts it in a folder of its own.
    """

    name: str
    command: Sequence[str]
    label: str = ""
    timeout: int = TIMEOUT

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DataError(f"the name of a tracker is {self.name!r}; expected letters, digits, - and _ only")


def check_interval(interval: tuple[int, int]) -> None:
    """Raises DataError for an interval of lengths of runs that there cannot be."""
    low, high = interval
    if not 0 < low < high:
        raise DataError(
            f"the interval of the expected average overlap is {low} to {high}; expected 0 < LOW < HIGH"
        )


def write_config(folder: Path, stack: VotStack, interval: tuple[int, int] = EAO_INTERVAL) -> None:
    """Write config.yaml. Raises OutputError where there is one already."""
    path = folder / CONFIG
    if path.exists():
        raise OutputError(f"{folder} is a workspace already; choose another folder")
    check_interval(interval)
    named: object = stack.official or stack.as_config(interval)
    _write(path, json.dumps({"stack": named, "registry": [f"./{TRACKERS}"]}, indent=2) + "\n")


def add_tracker(folder: Path, tracker: TrackerEntry, overwrite: bool = False) -> None:
    """Add a tracker to trackers.ini.

    Raises:
        OutputError: there is one of that name already, and ``overwrite`` is not set.
    """
    path = folder / TRACKERS
    listed = configparser.ConfigParser(interpolation=None)
    listed.optionxform = str  # type: ignore[assignment, method-assign]  # names of variables keep their capitals
    listed.read(path, encoding="utf-8")
    if tracker.name in listed and not overwrite:
        raise OutputError(
            f"{path} lists a tracker {tracker.name} already; choose another name, or pass ",
            Option("overwrite"),
        )
    command = shlex.join(tracker.command).replace("%", "%%")  # % has a meaning where the toolkit reads it
    listed[tracker.name] = {
        "label": (tracker.label or tracker.name).replace("%", "%%"),
        "protocol": "trax",
        "command": command,
        "timeout": str(tracker.timeout),
    }
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        listed.write(file)


def write_sequences(
    folder: Path,
    videos: Iterable[VideoSequence],
    multiobject: bool,
    *,
    anchor_distance: int = ANCHOR_DISTANCE,
    frames_per_second: float = FRAMES_PER_SECOND,
) -> list[str]:
    """Write videos with masks as the sequences of a workspace; its frames are links to the files where possible.

    Args:
        multiobject: one sequence for a video, with all objects of its first frame. Otherwise one sequence for an
            object, with anchors where it is in view.
        anchor_distance: frames between two anchors.

    Returns:
        A sentence for each object that was left out.

    Raises:
        DataError: there is nothing to write, or a frame or mask cannot be read.
    """
    names: list[str] = []
    left_out: list[str] = []
    for video in videos:
        masks = [_labels(video, index) for index in range(len(video))]
        found = sorted({int(i) for mask in masks for i in np.unique(mask) if i})
        late = [i for i in found if multiobject and not (masks[0] == i).any()]
        left_out += [f"{video.name}: object {i} is not in the first frame" for i in late]
        objects = [i for i in found if i not in late]
        groups = [objects] if multiobject else [[i] for i in objects]
        for group in filter(None, groups):
            alone = multiobject or len(objects) == 1
            name = video.name if alone else f"{video.name}-{group[0]}"
            anchors = [] if multiobject else anchors_of(masks, group[0], anchor_distance)
            _write_sequence(folder / SEQUENCES / name, video, masks, group, anchors, frames_per_second)
            names.append(name)
    if not names:
        raise DataError("there is no video with an object to make a sequence of")
    _write(folder / SEQUENCES / "list.txt", "\n".join(names) + "\n")
    return left_out


def anchors_of(masks: Sequence[NDArray[np.uint8]], number: int, distance: int) -> list[int]:
    """An anchor for each frame: 1 runs forward from here, -1 backwards, 0 is none (VOT 2020, section 3).

    They are in the first and the last frame and ``distance`` apart, in the direction in which more frames lie; where
    the object is not in view, there is none.

    Args:
        masks: T of uint8 (H, W). number: the object.
    """
    if distance < 1:
        raise DataError(f"the distance of anchors is {distance}; expected at least 1 frame")
    count = len(masks)
    places = {*range(0, count, distance), count - 1}
    return [
        (1 if count - index >= index + 1 else -1) if index in places and (masks[index] == number).any() else 0
        for index in range(count)
    ]


def stack_of(folder: Path) -> tuple[VotStack, tuple[int, int]]:
    """The stack of a workspace and its interval of the expected average overlap.

    Raises:
        DataError: it is no workspace, or its stack is not one that limpet knows.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise DataError(f"{folder} is not a workspace of VOT's toolkit: it has no {CONFIG}")
    text = path.read_text(encoding="utf-8")
    try:
        stack = json.loads(text)["stack"]
    except (ValueError, KeyError, TypeError):
        match = re.search(r"^stack:\s*['\"]?([\w/.-]+)", text, re.MULTILINE)
        stack = match[1] if match else None
    if isinstance(stack, str) and stack in STACKS:
        return STACKS[stack], EAO_INTERVAL
    own = next(
        (each for each in STACKS.values() if isinstance(stack, dict) and each.title == stack.get("title")),
        None,
    )
    if own is None:
        raise DataError(f"the stack of {path} is not one that limpet knows; those are: {', '.join(STACKS)}")
    for experiment in stack["experiments"].values():
        for analysis in experiment["analyses"]:
            if "low" in analysis:
                return own, (int(analysis["low"]), int(analysis["high"]))
    return own, EAO_INTERVAL


def _write_sequence(
    folder: Path,
    video: VideoSequence,
    masks: Sequence[NDArray[np.uint8]],
    objects: Sequence[int],
    anchors: Sequence[int],
    frames_per_second: float,
) -> None:
    suffixes = {path.suffix for path in video.frames}
    if len(suffixes) > 1:
        raise DataError(f"the frames of {video.name} are of several kinds: {', '.join(sorted(suffixes))}")
    suffix = suffixes.pop()
    height, width = masks[0].shape
    facts = {
        "channels.color": f"color/%08d{suffix}",
        "fps": f"{frames_per_second:g}",
        "width": width,
        "height": height,
        "length": len(masks),
    }
    _write(folder / "sequence", "".join(f"{name}={value}\n" for name, value in facts.items()))
    for number in objects:
        name = "groundtruth.txt" if len(objects) == 1 else f"groundtruth_{number}.txt"
        _write(folder / name, "".join(f"m{encode_region(mask == number)}\n" for mask in masks))
    if anchors:
        _write(folder / "anchor.value", "".join(f"{anchor}\n" for anchor in anchors))
    try:
        (folder / "color").mkdir(parents=True, exist_ok=True)
        for index, source in enumerate(video.frames, start=1):
            _link(source.resolve(), folder / "color" / f"{index:08}{suffix}")
    except OSError as error:
        raise output_error(error, folder) from error


def _labels(video: VideoSequence, index: int) -> NDArray[np.uint8]:
    mask = without_void(video.mask(index))
    return np.where(mask > 0, 1, 0).astype(np.uint8) if video.one_object else mask


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        target.symlink_to(source)
    except OSError:  # Windows asks for a permission
        shutil.copyfile(source, target)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, path.parent) from error
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
