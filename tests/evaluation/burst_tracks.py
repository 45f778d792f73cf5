"""A made-up BURST with what its measures trip over, and predictions for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.exchange.coco_rle import compress, mask_counts

from .tiny import SIZE, grey, save_ids

Plane = NDArray[np.bool_]
FRAMES = 6
CATEGORIES = {41: "ball", 95: "bird", 504: "glass", 554: "hat", 943: "scrubbing_brush", 1000: "tag"}
VIDEOS: dict[str, dict[int, int]] = {
    "swap": {1: 41, 2: 41, 3: 1000, 5: 207},
    "late": {1: 153, 4: 943, 5: 95, 7: 504},
    "calm": {2: 41, 3: 95, 6: 967},
}
"""Video -> track -> category. 153 counts as 943, 207 as 554, 967 as one without HOTA; 504 is left out."""


def blob(top: float, left: float, size: int) -> Plane:
    plane = np.zeros(SIZE, np.bool_)
    top, left = round(top) % SIZE[0], round(left) % SIZE[1]
    plane[top : top + size, left : left + size + 3] = True
    plane[top : top + 3, left + size % 3 : left + 3] = (
        False  # masks and the boxes around them overlap differently
    )
    return plane


def truth(video: str, track: int, frame: int) -> Plane | None:
    """Tracks move. Some are gone for a while, all of ``late`` begin late; ``calm`` has a frame with 6 alone, and one
    without any."""
    if video == "calm" and (frame == 4 or (frame == 3 and track != 6)):
        return None
    if video == "swap" and track == 2 and frame in (2, 3):
        return None
    if video == "late" and frame < min(track, 4) - 1:
        return None
    return blob(1 + 5 * track, 3 * track + 2 * frame, 5 + track % 3)


def prediction(video: str, track: int, frame: int) -> Plane | None:
    """Shifts, a swap of two tracks halfway, masks where the truth has none, and tracks that are lost."""
    if video == "swap" and track in (1, 2) and frame >= 3:
        track = 3 - track
        return blob(2 + 5 * track, 3 * track + 2 * frame, 5 + track % 3)
    if video == "late" and track == 4 and frame > 4:
        return None
    shift = {"swap": 0, "late": frame % 3, "calm": frame}[video]
    return blob(1 + 5 * track, 3 * track + 2 * frame + shift, 5 + track % 3 - (frame == 5))


def make_tracks(root: Path, predictions: Path) -> None:
    """Write the data set, and DIR/SEQUENCE/OBJECT/FRAME.png of the predictions."""
    sequences: list[dict[str, Any]] = []
    for number, (video, tracks) in enumerate(VIDEOS.items()):
        files = [f"frame{place:04}.jpg" for place in range(FRAMES)]
        shown: list[dict[str, dict[str, str]]] = []
        for frame, file in enumerate(files):
            grey(root / "frames/val/HACS" / video / file)
            there = {track: plane for track in tracks if (plane := truth(video, track, frame)) is not None}
            shown.append(
                {str(track): {"rle": compress(mask_counts(plane))} for track, plane in there.items()}
            )
            for track in tracks:
                plane = prediction(video, track, frame)
                path = predictions / "HACS" / video / f"{track:03}" / f"frame{frame:04}.png"
                save_ids(path, (np.zeros(SIZE, np.bool_) if plane is None else plane).astype(np.uint8))
        sequences.append({
            "dataset": "HACS", "seq_name": video, "id": number, "height": SIZE[0], "width": SIZE[1], "fps": 30,
            "all_image_paths": files, "annotated_image_paths": files, "segmentations": shown,
            "track_category_ids": {str(track): category for track, category in tracks.items()},
            "neg_category_ids": [], "not_exhaustive_category_ids": [],
        })  # fmt: skip
    categories = [{"id": number, "name": name} for number, name in CATEGORIES.items()]
    (root / "val").mkdir(parents=True)
    content = {"sequences": sequences, "split": "val", "categories": categories}
    (root / "val/all_classes.json").write_text(json.dumps(content))
