"""Training clips from a DataLoader: made in worker processes while the steps before them are computed.

A batch is a pure function of seed, rank and step, so the data set is the steps themselves: number ``n`` is the batch of
step ``n``, and a run that is resumed gets the batches of an undisturbed one, with any number of workers.

Where clips are rendered on a GPU, workers read and draw them, and the main process renders. What comes from a worker
goes through a pipe as NumPy arrays: shared memory is scarce in containers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from limpet.core.errors import LimpetError
from limpet.data import ClipBatch, TrainingClips

MOST_WORKERS = 8
PREFETCHED = 2  # batches for each worker


def default_workers(processes: int = 1) -> int:
    """Worker processes for each of ``processes`` that train: a core each, but for the one that trains; at most 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(0, min(MOST_WORKERS, cores // processes - 1))


def clip_batches(
    clips: TrainingClips, first: int, steps: int, workers: int = 0
) -> Iterator[tuple[int, ClipBatch]]:
    """Each step from ``first`` to ``steps`` - 1 with its batch, on the device of ``clips``.

    Args:
        workers: processes that make the clips; 0 makes them in this one, when they are asked for.

    Raises:
        DataError: a batch cannot be made, as in ``TrainingClips.batch``.
    """
    loader = DataLoader(
        ClipSteps(clips, steps, packed=workers > 0),
        batch_size=None,
        sampler=range(first, steps),
        num_workers=workers,
        prefetch_factor=PREFETCHED if workers else None,
        collate_fn=_as_it_is,
        worker_init_fn=_begin_worker,
    )
    for step, made in zip(range(first, steps), loader, strict=True):
        if isinstance(made, LimpetError):
            raise made
        yield step, _unpacked(clips, step, steps, made)


class ClipSteps(Dataset[Any]):
    """The batches of a training by step. Errors of the user are returned: raised, a worker would add its traceback.

    Args:
        clips: makes them. steps: of the whole training.
        packed: as NumPy arrays, for the way from a worker; clips that are to be rendered on a GPU are only drawn then.
    """

    def __init__(self, clips: TrainingClips, steps: int, packed: bool) -> None:
        self.clips, self.steps, self.packed = clips, steps, packed

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Any:
        progress = step / self.steps
        try:
            if not self.packed:
                return self.clips.batch(step, progress)
            if self.clips.device.type != "cpu":
                return self.clips.draw(step, progress)
            batch = self.clips.batch(step, progress)
            return batch.images.numpy(), batch.masks.numpy().astype(np.uint8), batch.object_counts
        except LimpetError as error:
            return error


def _unpacked(clips: TrainingClips, step: int, steps: int, made: Any) -> ClipBatch:
    if isinstance(made, ClipBatch):
        return made
    if isinstance(made, list):
        return clips.batch(step, step / steps, made)
    images, masks, object_counts = made
    return ClipBatch(torch.from_numpy(images), torch.from_numpy(masks).long(), object_counts)


def _as_it_is(made: Any) -> Any:
    return made


def _begin_worker(_: int) -> None:
    """A worker is one thread, and has its part of the memory for decoded pictures."""
    cv2.setNumThreads(0)
    worker = get_worker_info()
    assert worker is not None and isinstance(worker.dataset, ClipSteps)
    worker.dataset.clips.share_cache(worker.num_workers)
