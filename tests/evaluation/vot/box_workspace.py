"""Workspaces with results but without a toolkit: boxes that move, and answers that are late, lost, gone or wrong.

``recorded_single.json`` and ``recorded_multi.json`` hold what the toolkit (0.7.4) has measured on them with
``vot analysis --format json``, without its settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from limpet.evaluation.vot.regions import encode_region
from limpet.evaluation.vot.stacks import find_stack
from limpet.evaluation.vot.workspace import TrackerEntry, add_tracker, write_config

SIZE, FRAMES = (24, 32), {"a": 30, "b": 21, "c": 26}
INTERVAL = (4, 25)
TRACKERS = ("late", "lost", "gone", "beside")
Plane = np.ndarray


def truth(name: str, number: int, frame: int) -> Plane:
    """A box of the sequence's own speed; the second object of "c" is away in the frames 8 to 20."""
    plane = np.zeros(SIZE, bool)
    speed = {"a": 0.5, "b": 0.25, "c": 0.75}[name]
    if (name, number) == ("c", 2) and 8 <= frame <= 20:
        return plane
    left = int(2 + speed * frame) + (3 if number == 2 else 0)
    top = 3 if number == 1 else 14
    plane[top : top + 8, left : left + 7] = True
    return plane


def answer(tracker: str, name: str, number: int, frame: int, step: int) -> Plane:
    """What a tracker says in ``frame``, which is ``step`` frames after the one it began with."""
    if tracker == "late":
        return truth(name, number, max(0, frame - 3))
    if tracker == "lost" and step >= 9:
        return np.roll(truth(name, number, frame), 16, axis=1)
    if tracker == "gone" and step >= 5 + 6 * (name == "b"):
        return np.zeros(SIZE, bool)
    if tracker == "beside":
        return np.roll(truth(name, number, frame), step % 14, axis=0)
    return truth(name, number, frame)


def write_workspace(folder: Path, multiobject: bool) -> None:
    """A workspace of one object, or of one to two, with the results of four trackers."""
    write_config(folder, find_stack("vots" if multiobject else "short-term"), INTERVAL)
    for tracker in TRACKERS:
        add_tracker(folder, TrackerEntry(tracker, ["/bin/false"]))
    for name, count in FRAMES.items():
        _write_sequence(folder / "sequences" / name, name, count, multiobject)
    (folder / "sequences" / "list.txt").write_text("\n".join(FRAMES) + "\n")
    for tracker in TRACKERS:
        for stem, frames, number in runs(multiobject):
            name = stem.split("_")[0]
            lines = ["1", *(_line(answer(tracker, name, number, i, k)) for k, i in enumerate(frames[1:], 1))]
            for experiment in (
                ("baseline", "realtime") if multiobject or "_0000" in stem else ("unsupervised",)
            ):
                path = folder / "results" / tracker / experiment / name / f"{stem}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("\n".join(lines) + "\n")


def runs(multiobject: bool) -> Iterator[tuple[str, Sequence[int], int]]:
    """The name of each run, its frames and its object."""
    for name, count in FRAMES.items():
        several = multiobject and name == "c"
        for number in (1, 2) if several else (1,):
            part = f"_{number}" if several else ""
            yield f"{name}{part}_001", range(count), number
        if not multiobject:
            for index, anchor in enumerate(anchors(count)):
                if anchor:
                    frames = range(index, count) if anchor > 0 else range(index, -1, -1)
                    yield f"{name}_{index:08}", frames, 1


def anchors(count: int) -> list[int]:
    """Forward from the first frame and from the 9th, backwards from the last but three."""
    found = [0] * count
    found[0], found[9], found[count - 4] = 1, 1, -1
    return found


def _write_sequence(folder: Path, name: str, count: int, multiobject: bool) -> None:
    (folder / "color").mkdir(parents=True)
    height, width = SIZE
    (folder / "sequence").write_text(
        f"channels.color=color/%08d.png\nfps=20\nwidth={width}\nheight={height}\nlength={count}\n"
    )
    for index in range(1, count + 1):
        Image.new("RGB", (width, height), (index, 90, 90)).save(folder / "color" / f"{index:08}.png")
    several = multiobject and name == "c"
    for number in (1, 2) if several else (1,):
        lines = [_line(truth(name, number, index)) + "\n" for index in range(count)]
        if several:
            lines[5] = "0\n"  # the truth is not known
        (folder / (f"groundtruth_{number}.txt" if several else "groundtruth.txt")).write_text("".join(lines))
    if several:
        (folder / "groundtruth__ignore.txt").write_text("m4,5,6,3,0,18\n" * count)
    if not multiobject:
        (folder / "anchor.value").write_text("".join(f"{value}\n" for value in anchors(count)))


def _line(mask: Plane) -> str:
    return f"m{encode_region(mask)}"
