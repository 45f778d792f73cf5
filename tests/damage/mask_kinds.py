"""Masks, pictures, videos, and the formats of other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from cli.clips import write_images
from exchange.sequences import hard_clip
from networks import frames
from project.tiny import boxes
from video.clips import make_clip

from limpet.core.masks import read_annotation, read_mask, write_mask
from limpet.data.layouts import _described_videos
from limpet.exchange.formats import FORMATS, read_masks, write_masks
from limpet.video.open import open_video

from .kind import Kind

MOST_FRAMES = 1000
"""A damaged video may tell of more; reading is then ended."""


def _make_mask(folder: Path) -> None:
    write_mask(folder / "mask.png", boxes((1, 2), (200, 9)))


def _masks_of(path: Path) -> Any:
    masks = read_masks(path)
    each = [(frame.index, frame.time, frame.labels.tobytes()) for frame in masks]
    return tuple(masks.size), dict(masks.names), each


def _exchange(name: str) -> Kind:
    suffix = (FORMATS[name].suffixes or ("",))[0]
    folders = {"supervisely": "m/*/ann/*.json", "mots-png": "m/instances/*.png"}
    pattern = f"m{suffix}" if suffix else folders.get(name, "m/**/*.*")
    return Kind(
        lambda folder: write_masks(hard_clip(), folder / f"m{suffix}", name),
        pattern,
        lambda folder: _masks_of(folder / f"m{suffix}"),
    )


def _frames_of(path: Path) -> Any:
    with open_video(path) as reader:
        read: list[tuple[int, float, bool]] = []
        for frame in reader.frames_from(0):
            read.append((frame.index, frame.time, frame.image is not None))
            if len(read) == MOST_FRAMES:
                break
        return reader.size, read, [str(failure) for failure in reader.failures]


def _video(name: str, codec: str) -> Kind:
    return Kind(
        lambda folder: make_clip(folder / name, 4, codec=codec),
        name,
        lambda folder: _frames_of(folder / name),
    )


def _make_youtube_vos(folder: Path) -> None:
    videos = {"dog": {"objects": {"1": {"category": "dog", "frames": ["00000", "00005"]}}}}
    (folder / "meta.json").write_text(json.dumps({"videos": videos}))


def _make_pictures(folder: Path) -> None:
    write_images(folder / "shots", [np.zeros((9, 11, 3), np.uint8), *frames(2, 9, 11)], "{:03d}.png")


MASKS = {
    "mask": Kind(_make_mask, "mask.png", lambda at: read_mask(at / "mask.png").tobytes(), True),
    "annotation": Kind(_make_mask, "mask.png", lambda at: read_annotation(at / "mask.png").tobytes(), True),
    "YouTube-VOS list": Kind(_make_youtube_vos, "meta.json", lambda at: _described_videos(at / "meta.json")),
    "picture among frames": Kind(_make_pictures, "shots/001.png", lambda at: _frames_of(at / "shots")),
    "video, mp4": _video("clip.mp4", "libx264"),
    "video, mkv": _video("clip.mkv", "ffv1"),
    "video, avi": _video("clip.avi", "mpeg4"),
    **{name: _exchange(name) for name in FORMATS if name != "exr"},
}
