"""Training samples for clicks: crops of photos and of frames of videos, each with one object."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import DataError
from limpet.data import VideoSet
from limpet.data.image_cache import ImageCache, LabelledImage, UnreadableImageError
from limpet.data.photometric import random_colour
from limpet.data.stills import Still, split_components

LONG_SIDE = 480
SMALLEST_SHARE = 0.004
"""Of the crop, for an object that is worth clicking on."""
_WHOLE_PROB = 0.4
_COMPONENT_PROB = 0.5
_VOID = 255


def held_out(stills: Iterable[Still], count: int) -> list[Still]:
    """``count`` photos to measure with, chosen by a hash of their names: no other choice depends on what is learned.

    Photos of one thing, as in iCoseg's groups, are held out together.
    """
    groups: dict[str, list[Still]] = {}
    for still in stills:
        groups.setdefault(_group(still), []).append(still)
    chosen: list[Still] = []
    for name in sorted(groups, key=lambda each: hashlib.sha256(each.encode()).hexdigest()):
        if len(chosen) + len(groups[name]) <= count:
            chosen += groups[name]
    return sorted(chosen, key=lambda still: still.image.name)


def _group(still: Still) -> str:
    words = still.image.stem.split("_")
    return "_".join(words[:2]) if words[0] == "icoseg" else still.image.stem


class ClickSamples:
    """Draws crops of ``size`` x ``size`` pixels, each with an object.

    Args:
        stills, videos: where they come from; at least one photo or frame.
        video_prob: that a sample comes from a video.
        parts_weight: how often a photo of parts or regions is drawn, beside one of objects.
    """

    def __init__(
        self,
        stills: Sequence[Still],
        videos: Sequence[VideoSet],
        size: int,
        video_prob: float,
        parts_weight: float = 1.0,
    ) -> None:
        self._sources = [(each.image, each.mask, each.kind) for each in stills]
        weights = np.array([1.0 if each.kind == "objects" else parts_weight for each in stills])
        self._weights = np.cumsum(weights / max(weights.sum(), 1e-9))
        self._frames: list[tuple[Path, Path]] = [
            pair for each in videos for video in each for pair in zip(video.frames, video.masks, strict=True)
        ]
        if not self._sources and not self._frames:
            raise DataError("there is nothing to learn clicks from: name photos, videos, or both")
        self._video_prob = video_prob if self._sources and self._frames else float(not self._sources)
        self._size = size
        self._cache = ImageCache(LONG_SIDE, max_bytes=4e9)

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """A crop: uint8 (S, S, 3) RGB, and the object in it, (S, S).

        Raises:
            DataError: a thousand draws in a row gave no object.
        """
        for _ in range(1000):
            found = self._draw(rng)
            if found is not None:
                return found
        raise DataError(
            "a thousand photos and frames in a row could not be read or show no object of a useful size"
        )

    def _draw(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | None:
        if rng.random() < self._video_prob:
            image, mask = self._frames[int(rng.integers(len(self._frames)))]
            kind = "video"
        else:
            at = int(np.searchsorted(self._weights, rng.random()))
            image, mask, kind = self._sources[min(at, len(self._sources) - 1)]
        try:
            loaded = self._cache.load(image, mask)
        except UnreadableImageError:
            return None
        region = _object(rng, loaded, kind)
        if not region.any():
            return None
        crop, inside = _crop(rng, loaded.image, region, self._size)
        if not SMALLEST_SHARE <= inside.mean() <= 0.95:
            return None
        return _recoloured(rng, crop), inside


def _object(rng: np.random.Generator, image: LabelledImage, kind: str) -> NDArray[np.bool_]:
    if kind == "objects" and rng.random() < _COMPONENT_PROB:
        image = split_components(image, min_pixels=400)
    ids = [int(each) for each in np.unique(image.mask) if 0 < each < _VOID]
    if not ids:
        return np.zeros(image.mask.shape, bool)
    if kind == "parts" and rng.random() < 0.6:  # all clothes of a person, all parts of a car
        return (image.mask > 0) & (image.mask < _VOID)
    sizes = np.bincount(image.mask.ravel(), minlength=256)[ids].astype(float)
    chances = np.sqrt(sizes) / np.sqrt(sizes).sum()
    return np.asarray(image.mask == int(rng.choice(ids, p=chances)))


def _crop(
    rng: np.random.Generator, image: NDArray[np.uint8], region: NDArray[np.bool_], size: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The whole photo, or a window around the object as one sees it after the first click; sometimes mirrored."""
    height, width = region.shape
    ys, xs = np.nonzero(region)
    box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], float)
    if rng.random() < _WHOLE_PROB:
        side = max(height, width) * float(rng.uniform(0.85, 1.1))
        centre = np.array([width / 2, height / 2]) + rng.uniform(-0.1, 0.1, 2) * side
    else:
        side = max(*(box[2:] - box[:2]), 40.0) * float(rng.uniform(1.1, 2.2))
        centre = (box[:2] + box[2:]) / 2 + rng.uniform(-0.25, 0.25, 2) * side * 0.5
    scale = size / side
    flip = -1.0 if rng.random() < 0.5 else 1.0
    middle = (size - 1) / 2
    matrix = np.array(
        [
            [flip * scale, 0.0, middle - flip * scale * (centre[0] - 0.5)],
            [0.0, scale, middle - scale * (centre[1] - 0.5)],
        ]
    )
    if scale < 0.7:  # linear interpolation would skip pixels
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)  # type: ignore[assignment]
    crop = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR)
    soft = cv2.warpAffine(region.astype(np.float32), matrix, (size, size), flags=cv2.INTER_LINEAR)
    return np.asarray(crop, np.uint8), np.asarray(soft > 0.5)


def _recoloured(rng: np.random.Generator, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if rng.random() < 0.5:
        return crop
    colour = random_colour(rng, 0.5)[:3]
    changed = crop.astype(np.float32) / 255 @ colour[:, :3].T + colour[:, 3]
    gamma = float(np.exp(rng.uniform(-0.3, 0.3)))
    return np.asarray(np.clip(changed, 0, 1) ** gamma * 255, np.uint8)
