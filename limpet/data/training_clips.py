"""Training clips by the batch: drawn, rendered and finished for one step of the training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from limpet.core.errors import DataError
from limpet.data.config import ClipConfig
from limpet.data.folders import StillsFolder, VideoSequence
from limpet.data.image_cache import ImageCache
from limpet.data.layers import ClipBatch
from limpet.data.photometric import finish, normalise
from limpet.data.rendering import render
from limpet.data.sampling import ClipSampler

ATTEMPTS = 20
STILL_LONG_SIDE, VIDEO_LONG_SIDE = 480, 640


class VideoFolder(Protocol):
    """Videos with masks, however they lie on disk; ``skipped`` has a line for all that can't be used."""

    sequences: list[VideoSequence]
    skipped: list[str]


class TrainingClips:
    """Batches of clips, a pure function of seed, rank and step: a resumed training sees the same ones.

    Args:
        config: how clips are made.
        stills: photos with masks, or None.
        videos: videos with masks, any number of folders.
        device: where the clips are rendered and stay.
        rank: number of this process among those that train together.

    Raises:
        DataError: there is no data set at all.
    """

    def __init__(
        self,
        config: ClipConfig,
        stills: StillsFolder | None = None,
        videos: Sequence[VideoFolder] = (),
        device: torch.device | str = "cpu",
        rank: int = 0,
    ) -> None:
        self.config = config
        self.device = torch.device(device)
        self._folders: list[StillsFolder | VideoFolder] = list(videos)
        if stills is not None:
            self._folders.append(stills)
        most = config.image_cache_gb * 1e9
        self._caches = (ImageCache(STILL_LONG_SIDE, most), ImageCache(VIDEO_LONG_SIDE, most))
        sequences = [sequence for folder in videos for sequence in folder.sequences]
        photos = stills.stills if stills is not None else []
        self.sampler = ClipSampler(config, photos, sequences, *self._caches, rank=rank)

    @property
    def skipped(self) -> list[str]:
        """One line for every file left out so far; damage inside a file shows when it is first drawn."""
        found = [line for folder in self._folders for line in folder.skipped]
        return found + [line for cache in self._caches for line in cache.skipped]

    @property
    def nbytes(self) -> int:
        """Bytes of decoded pictures in memory."""
        return sum(cache.nbytes for cache in self._caches)

    def batch(self, step: int, progress: float = 0.0) -> ClipBatch:
        """The clips of a step.

        Args:
            step: number of the step, from 0.
            progress: share of the training that is done, 0 to 1; moves the curriculum.

        Raises:
            DataError: no clip with an object in frame 0 could be made.
        """
        clips = [self._clip(step, index, progress) for index in range(self.config.batch)]
        return ClipBatch(
            images=torch.stack([images for images, _, _ in clips], 1),
            masks=torch.stack([masks for _, masks, _ in clips], 1),
            object_counts=[count for _, _, count in clips],
        )

    def _clip(self, step: int, index: int, progress: float) -> tuple[torch.Tensor, torch.Tensor, int]:
        for attempt in range(ATTEMPTS):
            raw = self.sampler.sample(step, index, progress, attempt)
            images, masks = render(raw, self.device)
            masks, count = keep_visible(masks, self.config.min_pixels)
            if count:
                return normalise(finish(images, raw.finish)), masks, count
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
