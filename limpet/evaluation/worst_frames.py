"""Pictures of the worst videos: the frames in which they score lowest, with the truth above the prediction."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from limpet.core.files import atomic_path, output_error
from limpet.evaluation.protocols.evaluation_protocol import EvaluationProtocol
from limpet.evaluation.saved_masks import read_scored
from limpet.evaluation.scores import Scores, summarise
from limpet.evaluation.video_task import FrameMasks, VideoTask, draw_label_map
from limpet.visual.overlay import draw_overlay

Picture = NDArray[np.uint8]
WIDTH, MARGIN, LINE = 320, 12, 20
FRAMES = 4
"""Frames in a picture: the worst one of each quarter of the video."""


def write_worst_frames(
    scores: Scores, protocol: EvaluationProtocol, masks: Path, folder: Path, count: int = 3
) -> list[Path]:
    """Write FOLDER/01-VIDEO.png and so on for the videos with the lowest mean J, the worst first.

    Args:
        masks: folder of the saved masks.

    Raises:
        OutputError: a picture cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("[0-9][0-9]-*.png"):
            old.unlink()
    except OSError as error:
        raise output_error(error, folder) from error
    written = []
    for place, name in enumerate(scores.worst(count), start=1):
        path = folder / f"{place:02}-{name.replace('/', '-')}.png"
        picture = draw_worst(scores, protocol.task(name), masks)
        with atomic_path(path) as temporary:
            picture.save(temporary, format="PNG")
        written.append(path)
    return written


def draw_worst(scores: Scores, task: VideoTask, masks: Path) -> Image.Image:
    """One picture of one video; its objects keep their colours from frame to frame."""
    values = dict(zip(*_by_frame(scores, task.name), strict=True))
    index = {path.stem: position for position, path in enumerate(task.frames)}
    chosen = worst_of_each_part(list(values.values()), FRAMES)
    names = [list(values)[position] for position in chosen]
    columns = []
    for name in names:
        frame = task.frame(index[name])
        truth = task.masks.read(index[name])
        found = read_scored(masks, task, index[name])
        columns.append((_draw(frame, truth, task), _draw(frame, found, task)))
    height = max(each.shape[0] for column in columns for each in column)
    size = (MARGIN + len(columns) * (WIDTH + MARGIN), 2 * height + 3 * MARGIN + 2 * LINE)
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    summary = summarise(scores.by_sequence()[task.name])
    title = f"{task.name}   J&F {100 * summary.j_and_f:.1f}   truth above, prediction below"
    draw.text((MARGIN, MARGIN // 2), title, fill="#222222", font=ImageFont.load_default())
    for place, (name, (truth_picture, found_picture)) in enumerate(zip(names, columns, strict=True)):
        left, top = MARGIN + place * (WIDTH + MARGIN), MARGIN + LINE
        page.paste(Image.fromarray(truth_picture), (left, top))
        page.paste(Image.fromarray(found_picture), (left, top + height + MARGIN))
        text = f"frame {name}   J {100 * values[name]:.1f}"
        draw.text((left, top + 2 * height + MARGIN + 4), text, fill="#222222", font=ImageFont.load_default())
    return page


def worst_of_each_part(values: Sequence[float], parts: int) -> list[int]:
    """The position of the lowest value in each of ``parts`` equal parts, ascending.

    >>> worst_of_each_part([0.9, 0.1, 0.8, 0.7, 0.2, 0.3], 2)
    [1, 4]
    """
    edges = np.linspace(0, len(values), min(parts, len(values)) + 1).astype(int)
    return [int(a + np.argmin(values[a:b])) for a, b in pairwise(edges)]


def _by_frame(scores: Scores, name: str) -> tuple[list[str], list[float]]:
    frames: dict[str, list[float]] = {}
    for each in scores.by_sequence()[name]:
        for frame, value in zip(each.frames or scores.frames[name], each.region, strict=False):
            if frame:
                frames.setdefault(frame, []).append(value)
    ordered = sorted(frames)
    return ordered, [float(np.mean(frames[frame])) for frame in ordered]


def _draw(frame: Picture, masks: FrameMasks, task: VideoTask) -> Picture:
    height, width = masks.size
    small = (WIDTH, max(1, round(WIDTH * height / width)))
    labels, _ = draw_label_map(masks, [each.number for each in task.objects])
    image = np.asarray(cv2.resize(frame, small, interpolation=cv2.INTER_AREA), np.uint8)
    return draw_overlay(
        image, np.asarray(cv2.resize(labels, small, interpolation=cv2.INTER_NEAREST), np.uint8)
    )
