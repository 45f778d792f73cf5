"""Training clips by the batch: drawn, rendered and finished for one step of the training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from limpet.core.errors import DataError
from limpet.data.batched_rendering import keep_visible_batch, render_batch
from limpet.data.config import ClipConfig
from limpet.data.datasets import VideoSet
from limpet.data.image_cache import ImageCache
from limpet.data.layers import RawClip
from limpet.data.photometric import apply_photometric, normalise
from limpet.data.rendering import render
from limpet.data.sampling import ClipSampler
from limpet.data.stills import StillsFolder

ATTEMPTS = 20
STILL_LONG_SIDE, VIDEO_LONG_SIDE = 480, 640


@dataclass(frozen=True)
class ClipBatch:
    """Clips for one training step.

    Args:
        images: float32 (T, B, 3, H, W), RGB minus the ImageNet mean, divided by its standard deviation.
        masks: int64 (T, B, H, W), ids 0..N of each sample; every id of the sample is visible in frame 0.
        object_counts: N of each sample, at least 1.
    """

    images: torch.Tensor
    masks: torch.Tensor
    object_counts: list[int]


class TrainingClips:
    """Batches of clips, a pure function of seed, rank and step: a resumed training sees the same ones.

    It can be pickled, so that the worker processes of a ``DataLoader`` make batches; decoded images stay behind.

    Args:
        config: how clips are made.
        stills: photos with masks, or None.
        videos: videos with masks, any number of data sets; see ``training_videos``.
        device: where the clips are rendered and stay.
        rank: number of this process among those that train together.
        together: render all clips of a step at once, see ``limpet.data.batched_rendering``; None: on GPUs.

    Raises:
        DataError: there is no data set at all.
    """

    def __init__(
        self,
        config: ClipConfig,
        stills: StillsFolder | None = None,
        videos: Sequence[VideoSet] = (),
        device: torch.device | str = "cpu",
        rank: int = 0,
        together: bool | None = None,
    ) -> None:
        self.config = config
        self.device = torch.device(device)
        self.together = self.device.type != "cpu" if together is None else together
        self._sources: list[StillsFolder | VideoSet] = list(videos)
        if stills is not None:
            self._sources.append(stills)
        max_bytes = config.image_cache_gb * 1e9
        self._caches = (ImageCache(STILL_LONG_SIDE, max_bytes), ImageCache(VIDEO_LONG_SIDE, max_bytes))
        photos = stills.stills if stills is not None else []
        self.sampler = ClipSampler(config, photos, videos, *self._caches, rank=rank)

    @property
    def skipped(self) -> list[str]:
        """One line for every file left out so far; damage inside a file only shows when it is first drawn."""
        found = [line for source in self._sources for line in source.skipped]
        return found + [line for cache in self._caches for line in cache.skipped]

    @property
    def nbytes(self) -> int:
        """Bytes of decoded images in memory."""
        return sum(cache.nbytes for cache in self._caches)

    def share_cache(self, count: int) -> None:
        """Take only one of ``count`` parts of the memory for decoded images: that many copies of this make clips."""
        for cache in self._caches:
            cache.max_bytes /= count

    def draw(self, step: int, progress: float = 0.0) -> list[RawClip]:
        """The clips of a step before they are rendered, for ``batch``. Raises DataError."""
        return [self.sampler.sample(step, index, progress) for index in range(self.config.batch)]

    def batch(
        self, step: int, progress: float = 0.0, drawn: Sequence[RawClip | None] | None = None
    ) -> ClipBatch:
        """The clips of a step.

        Args:
            step: number of the step, from 0.
            progress: share of the training that is done, 0 to 1, by which the settings that change are interpolated.
            drawn: what ``draw`` gave for them, made elsewhere; None draws them.

        Raises:
            DataError: no clip with an object in frame 0 could be made.
        """
        if self.together:
            return self._rendered_together(step, progress, drawn or self.draw(step, progress))
        drawn = drawn or [None] * self.config.batch
        clips = [self._clip(step, index, progress, raw) for index, raw in enumerate(drawn)]
        return ClipBatch(
            images=torch.stack([images for images, _, _ in clips], 1),
            masks=torch.stack([masks for _, masks, _ in clips], 1),
            object_counts=[count for _, _, count in clips],
        )

    def _rendered_together(self, step: int, progress: float, drawn: Sequence[RawClip | None]) -> ClipBatch:
        raw = [clip or self.sampler.sample(step, index, progress) for index, clip in enumerate(drawn)]
        images, masks = render_batch(raw, self.device)
        masks, counts = keep_visible_batch(masks, self.config.min_pixels)
        for index, count in enumerate(counts):
            if count == 0:  # another clip takes its place
                images[index], masks[index], counts[index] = self._clip(step, index, progress, raw[index])
        return ClipBatch(images.transpose(0, 1).contiguous(), masks.transpose(0, 1).contiguous(), counts)

    def _clip(
        self, step: int, index: int, progress: float, drawn: RawClip | None
    ) -> tuple[torch.Tensor, torch.Tensor, int]:
        for attempt in range(ATTEMPTS):
            raw = drawn or self.sampler.sample(step, index, progress, attempt)
            drawn = None
            images, masks = render(raw, self.device)
            masks, count = keep_visible(masks, self.config.min_pixels)
            if count:
                return normalise(apply_photometric(images, raw.photometric)), masks, count
        raise DataError(
            f"no clip with an object of {self.config.min_pixels} pixels or more in {ATTEMPTS} attempts "
            f"at step {step}; the objects of the data set are too small for this clip size"
        )


def keep_visible(masks: torch.Tensor, min_pixels: int) -> tuple[torch.Tensor, int]:
    """Erases ids with fewer than ``min_pixels`` in frame 0 from all frames and closes the gaps: ids 0..N.

    Args:
        masks: int64 (T, H, W), ids below 256.

    Returns:
        The masks and N.
    """
    visible = torch.bincount(masks[0].flatten(), minlength=256) >= min_pixels
    visible[0] = False
    table = torch.cumsum(visible, 0) * visible  # old id -> new id
    return table[masks], int(visible.sum())
