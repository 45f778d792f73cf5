"""Made-up data sets in the layout of each benchmark, a few pixels large, and trackers that repeat their masks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.exchange.coco_rle import compress, mask_counts

SIZE = (24, 40)
Ids = NDArray[np.uint8]


class RepeatsFirstMask:
    """The simplest tracker; remembers what it was given."""

    name, device, weights_sha256 = "repeat", "cpu", "ab12"

    def __init__(self) -> None:
        self.given: list[Ids] = []
        self.frames: list[tuple[int, ...]] = []

    def start(self, frame: NDArray[np.uint8], mask: Ids) -> Ids:
        self.given.append(mask)
        self.frames.append(frame.shape)
        return mask

    def step(self, frame: NDArray[np.uint8], state: Ids) -> tuple[Ids, Ids]:
        self.frames.append(frame.shape)
        return state, state


def box(
    top: int, left: int, height: int = 8, width: int = 10, number: int = 1, size: tuple[int, int] = SIZE
) -> Ids:
    mask = np.zeros(size, np.uint8)
    mask[top : top + height, left : left + width] = number
    return mask


def save_ids(path: Path, mask: Ids) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(mask)
    image.putpalette(list(range(256)) * 3)
    image.save(path)


def make_sequence(root: Path, name: str, masks: list[Ids], resolution: str = "480p") -> None:
    """Grey frames and the masks given, numbered from 00000."""
    images = root / "JPEGImages" / resolution / name
    images.mkdir(parents=True)
    for index, mask in enumerate(masks):
        Image.new("RGB", (mask.shape[1], mask.shape[0]), (90, 90, 90)).save(images / f"{index:05}.jpg")
        save_ids(root / "Annotations" / resolution / name / f"{index:05}.png", mask)


def make_split(root: Path, name: str, lines: list[str]) -> None:
    path = root / "ImageSets" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def moving_box(count: int = 6, number: int = 1) -> list[Ids]:
    return [box(6, 4 + 2 * index, number=number) for index in range(count)]


class CopiesMasks(RepeatsFirstMask):
    """Repeats what it was given, and draws objects that begin later over it."""

    def __init__(self) -> None:
        super().__init__()
        self.added: list[tuple[int, Ids]] = []

    def start(self, frame: NDArray[np.uint8], mask: Ids) -> Copied:  # type: ignore[override]
        self.given.append(mask)
        return Copied(mask)

    def step(self, frame: NDArray[np.uint8], state: Copied) -> tuple[Ids, Copied]:  # type: ignore[override]
        return state.mask, Copied(state.mask, state.index + 1)

    def add(self, frame: NDArray[np.uint8], mask: Ids, state: Copied) -> Copied:
        self.added.append((state.index, mask))
        return Copied(np.where(mask > 0, mask, state.mask), state.index)


@dataclass
class Copied:
    mask: Ids
    index: int = 0

    def mask_array(self) -> Ids:
        return self.mask


def grey(path: Path, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size[1], size[0]), (90, 90, 90)).save(path)


LATE = [box(2, 2, number=2), box(2, 3, number=2), np.maximum(box(2, 4, number=2), box(14, 20, number=5))]
LATE += [np.maximum(box(2, 5 + step, number=2), box(14, 20 + step, number=5)) for step in range(2)]
"""Five masks: object 2 from the start, object 5 from the third frame on; 1, 3 and 4 are holes."""


def make_youtube_vos(root: Path, *, labelled: bool = False, every: int = 2, split: str = "valid") -> None:
    """Video ``late`` (LATE, every second of 9 frames listed) and ``plain`` with object 1, and the meta.json."""
    videos = {"late": LATE, "plain": moving_box(5)}
    for name, masks in videos.items():
        for place in range(every * (len(masks) - 1) + 1):
            grey(root / f"{split}_all_frames/JPEGImages/{name}/{place:05}.jpg")
        begun: set[int] = set()
        for place, mask in enumerate(masks):
            stem = f"{place * every:05}"
            grey(root / f"{split}/JPEGImages/{name}/{stem}.jpg")
            new = set(np.unique(mask).tolist()) - begun - {0}
            if labelled or new:
                shown = mask if labelled else np.where(np.isin(mask, list(new)), mask, 0).astype(np.uint8)
                save_ids(root / f"{split}/Annotations/{name}/{stem}.png", shown)
            begun |= new
    stems = [f"{place * every:05}" for place in range(5)]
    objects = {
        "late": {"2": {"category": "cat", "frames": stems}, "5": {"category": "yak", "frames": stems[2:]}},
        "plain": {"1": {"category": "cat", "frames": stems[:4]}},
    }
    content = {"videos": {name: {"objects": each} for name, each in objects.items()}}
    (root / split / "meta.json").write_text(json.dumps(content))
    (root / "train").mkdir(exist_ok=True)
    seen = {"videos": {"any": {"objects": {"1": {"category": "cat", "frames": []}}}}}
    (root / "train/meta.json").write_text(json.dumps(seen))


def make_mose(root: Path, *, labelled: bool = False, split: str = "valid") -> None:
    """Video ``gone``: object 3 disappears in two of seven frames; object 7 stays."""
    shown = [box(2, 2 + step, number=3) if step not in (2, 3) else box(0, 0, 0, 0) for step in range(7)]
    masks = [np.maximum(each, box(14, 20, number=7)) for each in shown]
    for place, mask in enumerate(masks):
        grey(root / split / f"JPEGImages/gone/{place:05}.jpg")
        if labelled or place == 0:
            save_ids(root / split / f"Annotations/gone/{place:05}.png", mask)


def make_lvos(root: Path, *, labelled: bool = True) -> None:
    """Videos ``old`` (LATE) and ``new`` with object 1, which is unseen; frames 1, 6, 11, 16, 21."""
    for name, masks in {"old": LATE, "new": moving_box(5)}.items():
        for place, mask in enumerate(masks):
            stem = f"{5 * place + 1:08}"
            grey(root / f"valid/JPEGImages/{name}/{stem}.jpg")
            if labelled or (place in (0, 2) and (name == "old" or place == 0)):
                save_ids(root / f"valid/Annotations/{name}/{stem}.png", mask)

    def frames(start: int, count: int) -> dict[str, dict[str, str]]:
        return {"frame_range": {"start": f"{start:08}", "end": f"{21:08}", "frame_nums": str(count)}}

    videos = {
        "old": {"objects": {"2": frames(1, 4), "5": frames(11, 3)}},
        "new": {"objects": {"1": frames(1, 4)}},
    }
    (root / "valid/meta.json").write_text(json.dumps({"videos": videos}))
    (root / "unseen_videos.txt").write_text("new\n")


def make_sa_v(root: Path) -> None:
    """Video ``person``: its hand (001) lies within it (000) and is seen from the second annotated frame on."""
    folder = root / "sav_val"
    for place in range(17):
        grey(folder / f"JPEGImages_24fps/person/{place:05}.jpg")
    for place in range(5):
        body = box(2, 2 + place, 16, 20)
        hand = box(4, 4 + place, 4, 4) if place else box(0, 0, 0, 0)
        save_ids(folder / f"Annotations_6fps/person/000/{4 * place:05}.png", body)
        save_ids(folder / f"Annotations_6fps/person/001/{4 * place:05}.png", hand)
    (folder / "sav_val.txt").write_text("person\n")


def make_burst(root: Path, *, labelled: bool = True) -> None:
    """Video ``HACS/swim``: track 4 from the first annotated frame on, track 9 from the second."""
    files = [f"frame{place:04}.jpg" for place in range(7)]
    for file in files:
        grey(root / "frames/val/HACS/swim" / file)
    shown = []
    for place in range(3):
        masks = {4: box(2, 2 + place) > 0}
        if place:
            masks[9] = box(14, 10 + place) > 0
        if not labelled:
            masks = {track: mask for track, mask in masks.items() if place == {4: 0, 9: 1}[track]}
        shown.append({str(track): {"rle": compress(mask_counts(mask))} for track, mask in masks.items()})
    sequence = {
        "dataset": "HACS", "seq_name": "swim", "id": 1, "height": SIZE[0], "width": SIZE[1], "fps": 30,
        "all_image_paths": files, "annotated_image_paths": files[::3], "segmentations": shown,
        "track_category_ids": {"4": 41, "9": 95}, "neg_category_ids": [], "not_exhaustive_category_ids": [],
    }  # fmt: skip
    name = "all_classes.json" if labelled else "first_frame_annotations.json"
    (root / "val").mkdir(parents=True, exist_ok=True)
    (root / "val" / name).write_text(json.dumps({"sequences": [sequence], "split": "val", "categories": []}))
