"""What passes between the sampler, the renderer and the training loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from limpet.errors import DataError


@dataclass(frozen=True)
class ClipConfig:
    """How training clips are made. Pairs are (at the start, at the end) of the training and change linearly.

    Args:
        frames: T, frames in a clip.
        size: side of the square clip in pixels, 16k + 1.
        batch: B, clips in a batch.
        seed: same seed and step, same clips.
        video_share: how many of the clips come from video, 0 to 1; the others are synthetic, from photos.
        crowd_share: how many of the clips are crowded, 0 to 1: up to ten objects, many of which look alike.
        rider_share: how many of the pasted objects ride on another one, 0 to 1.
        max_gap: largest distance between neighbouring frames of a clip, in frames of the data set.
        max_objects: N, no clip has more.
        min_pixels: an object smaller than this in frame 0 is background in the whole clip.
        crop_side: smallest and largest side of a video's crop, in units of the shorter side of the video.
        pictures_gb: decoded photos, and as much again of decoded frames, that a process keeps in memory.
    """

    frames: int = 3
    size: int = 257
    batch: int = 2
    seed: int = 0
    video_share: tuple[float, float] = (0.5, 0.5)
    crowd_share: tuple[float, float] = (0.0, 0.0)
    rider_share: float = 0.0
    max_gap: tuple[int, int] = (2, 6)
    max_objects: int = 10
    min_pixels: int = 50
    crop_side: tuple[float, float] = (0.5, 1.0)
    pictures_gb: float = 4.0

    def __post_init__(self) -> None:
        if self.size < 33 or self.size % 16 != 1:
            raise DataError(f"clip size is {self.size}; use 16k + 1 pixels, at least 33: 257, 321 or 465")
        if self.frames < 2 or self.batch < 1:
            raise DataError(f"frames={self.frames}, batch={self.batch}; use at least 2 frames and 1 clip")
        for name in ("video_share", "crowd_share"):
            if not all(0 <= share <= 1 for share in getattr(self, name)):
                raise DataError(f"{name} is {getattr(self, name)}; both values are shares from 0 to 1")
        if not 0 <= self.rider_share <= 1:
            raise DataError(f"rider_share is {self.rider_share}; it is a share from 0 to 1")
        if min(self.max_gap) < 1 or not 1 <= self.max_objects <= 255:
            raise DataError(
                f"max_gap={self.max_gap}, max_objects={self.max_objects}; use gaps from 1, 1-255 objects"
            )


@dataclass(frozen=True)
class Layer:
    """One sheet of a clip: the scene at the bottom, or one object cut out and pasted on top.

    Args:
        images: uint8 (h, w, 3) RGB, one for all T frames (a photo) or T (a video).
        masks: uint8 (h, w), as many; in the scene the ids of the clip, in an object 1 where it is.
        homography: float64 (T, 3, 3), output pixels to pixels of this layer's images.
        bend: float32 (T, 2, n, n), smooth displacement (x, y) in pixels over the whole image, or None.
        label: id in the clip of a cut-out object (0: a distractor that is background); None for the scene.
        window: top, left, bottom, right of the part of the clip that this layer can touch.
        colour: float32 (3, 4), RGB -> RGB affine map, or None.
        smear: float32 (T, 2), motion blur (x, y) in output pixels.
        fill_holes: where the scene's mask is not 0, objects were cut out: fill from around, label 0.
    """

    images: tuple[np.ndarray, ...]
    masks: tuple[np.ndarray, ...]
    homography: np.ndarray
    bend: np.ndarray | None
    label: int | None
    window: tuple[int, int, int, int]
    colour: np.ndarray | None
    smear: np.ndarray
    fill_holes: bool = False


@dataclass(frozen=True)
class Finish:
    """What happens to rendered frames: colour float32 (T, 3, 4), gamma, blur (T,) in pixels, noise."""

    colour: np.ndarray
    gamma: float
    blur: np.ndarray
    noise: float
    noise_seed: int


@dataclass(frozen=True)
class RawClip:
    """All that was drawn by chance for one clip; rendering adds no chance. Layers from bottom to top."""

    frames: int
    size: int
    layers: tuple[Layer, ...]
    finish: Finish


@dataclass(frozen=True)
class ClipBatch:
    """Clips for one training step, on the training device.

    Args:
        images: float32 (T, B, 3, H, W), RGB with the ImageNet mean taken off and divided by its deviation.
        masks: int64 (T, B, H, W), ids 0..N of each sample; every id of the sample is there in frame 0.
        object_counts: N of each sample, at least 1.
    """

    images: torch.Tensor
    masks: torch.Tensor
    object_counts: list[int]
