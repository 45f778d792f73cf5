"""How fast is the evaluation of saved masks, compared with the way of davis2017-evaluation, on the same core?

    python benchmarks/evaluation_speed.py                       # 30 sequences of 20 frames, 480x854, 1 to 3 objects
    python benchmarks/evaluation_speed.py --sequences 30 --frames 67 --json OUT.json     # as long as DAVIS-2017 val

davis2017-evaluation is in no package registry. The reference is written here from its published algorithm
(https://github.com/davisvideochallenge/davis2017-evaluation, davis2017/davis.py, evaluation.py, metrics.py), step by
step: all masks of a sequence are read into one array of floating-point numbers, which is compared with every id; J is
computed over the frames at once, F frame by frame on whole outlines that are dilated by a disk.

Both read the same PNG files and are checked to give the same J and F. One process and one thread each, in
turn for every sequence; the times are those of each sequence, summed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.core.masks import write_mask
from limpet.core.provenance import commit, machine
from limpet.evaluation.evaluate_videos import score_video
from limpet.evaluation.protocols.davis import DavisProtocol

SIZE = (480, 854)
Flags = NDArray[np.bool_]
Result = dict[int, tuple[list[float], list[float]]]
"""Object -> J and F by frame."""


def make_data(root: Path, sequences: int, frames: int) -> None:
    """Wobbly blobs that move, 1 to 3 in a sequence, and predictions that are a little off."""
    rng = np.random.default_rng(0)
    for number in range(sequences):
        name = f"made-{number:02}"
        blobs = [
            (rng.uniform(0.25, 0.75, 2) * SIZE, rng.uniform(0.0625, 0.25) * SIZE[0], rng.uniform(-3, 3, 2))
            for _ in range(1 + number % 3)
        ]
        for frame in range(frames):
            truth, found = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
            for place, (centre, radius, speed) in enumerate(blobs, start=1):
                at = centre + frame * speed
                _draw(truth, at, radius, place, frame)
                _draw(found, at + rng.normal(0, 2, 2), radius * rng.uniform(0.95, 1.05), place, frame + place)
            write_mask(_made(root / "Annotations/480p" / name) / f"{frame:05}.png", truth)
            write_mask(_made(root / "predictions" / name) / f"{frame:05}.png", found)
            image = _made(root / "JPEGImages/480p" / name) / f"{frame:05}.jpg"
            image.write_bytes(b"")  # evaluation of saved masks looks at the names of frames alone
    lists = _made(root / "ImageSets/2017") / "val.txt"
    lists.write_text("".join(f"made-{number:02}\n" for number in range(sequences)))


def _draw(labels: NDArray[np.uint8], at: NDArray[np.float64], radius: float, number: int, phase: int) -> None:
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    edge = radius * (1 + 0.15 * np.sin(5 * angles + 0.2 * phase) + 0.05 * np.sin(17 * angles))
    points = np.stack([at[1] + edge * np.cos(angles), at[0] + edge * np.sin(angles)], axis=1)
    cv2.fillPoly(labels, [points.round().astype(np.int32)], number)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def ours(protocol: DavisProtocol, name: str, predictions: Path) -> Result:
    result = score_video(predictions, protocol.task(name))
    return {each.object_id: (list(each.region), list(each.boundary)) for each in result.objects}


def reference(protocol: DavisProtocol, name: str, predictions: Path) -> Result:
    """The algorithm of davis2017-evaluation, in its steps."""
    truth = read_stack(sorted((protocol.root / "Annotations/480p" / name).glob("*.png")))
    count = int(truth[0].max())
    found = read_stack(sorted((predictions / name).glob("*.png"))[1:-1])
    truths = separated(truth, count)[:, 1:-1]
    predicted = separated(found, count)
    result: Result = {}
    for place in range(count):
        a, b = truths[place], predicted[place]
        both, either = np.sum(a & b, axis=(1, 2)), np.sum(a | b, axis=(1, 2))
        region = np.where(either == 0, 1.0, both / np.maximum(either, 1))
        boundary = [reference_boundary(one, other) for one, other in zip(a, b, strict=True)]
        result[place + 1] = ([float(value) for value in region], boundary)
    return result


def read_stack(paths: list[Path]) -> NDArray[np.float64]:
    first = np.array(Image.open(paths[0]))
    stack = np.zeros((len(paths), *first.shape))
    for place, path in enumerate(paths):
        stack[place] = np.array(Image.open(path))
        stack[place, stack[place] == 255] = 0
    return stack


def separated(stack: NDArray[np.float64], count: int) -> Flags:
    ids = np.ones((count, *stack.shape)) * np.arange(1, count + 1)[:, None, None, None]
    found: Flags = ids == stack[None]
    return found


def reference_boundary(truth: Flags, prediction: Flags) -> float:
    radius = int(np.ceil(0.008 * np.linalg.norm(truth.shape)))
    rows, columns = np.indices((2 * radius + 1, 2 * radius + 1)) - radius
    disk = (rows**2 + columns**2 <= radius**2).astype(np.uint8)
    a, b = outline(truth), outline(prediction)
    grown_a, grown_b = (cv2.dilate(each.astype(np.uint8), disk) for each in (a, b))
    matched_a, matched_b = a * grown_b, b * grown_a
    total_a, total_b = np.sum(a), np.sum(b)
    if total_a == 0 or total_b == 0:
        return float(total_a == total_b)
    precision, recall = np.sum(matched_b) / float(total_b), np.sum(matched_a) / float(total_a)
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def outline(mask: Flags) -> Flags:
    right, below, both = np.zeros_like(mask), np.zeros_like(mask), np.zeros_like(mask)
    right[:, :-1], below[:-1], both[:-1, :-1] = mask[:, 1:], mask[1:], mask[1:, 1:]
    found = (mask ^ right) | (mask ^ below) | (mask ^ both)
    found[-1] = mask[-1] ^ right[-1]
    found[:, -1] = mask[:, -1] ^ below[:, -1]
    found[-1, -1] = False
    return found


def compare(root: Path) -> dict[str, Any]:
    protocol = DavisProtocol(root, "2017/val")
    seconds, frames, pairs, differs = [0.0, 0.0], 0, 0, 0.0
    for name in protocol.names():
        found = []
        for place, way in enumerate((ours, reference)):
            begin = time.process_time()
            found.append(way(protocol, name, root / "predictions"))
            seconds[place] += time.process_time() - begin
        assert found[0].keys() == found[1].keys(), name
        for number in found[0]:
            a, b = np.array(found[0][number]), np.array(found[1][number])
            differs = max(differs, float(np.abs(a - b).max()))
            pairs += a.shape[1]
        frames += a.shape[1]
    return {
        "sequences": len(protocol.names()), "frames": frames, "objects_in_frames": pairs,
        "limpet_seconds": seconds[0], "reference_seconds": seconds[1], "factor": seconds[1] / seconds[0],
        "largest_difference": differs,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sequences", type=int, default=30)
    parser.add_argument("--frames", type=int, default=20, help="of each sequence")
    parser.add_argument("--json", type=Path, help="file for the result")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        make_data(Path(folder), arguments.sequences, arguments.frames)
        result = compare(Path(folder))
    result |= {
        "commit": commit(), "machine": machine(), "numpy": np.__version__, "opencv": cv2.__version__,
    }  # fmt: skip
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
