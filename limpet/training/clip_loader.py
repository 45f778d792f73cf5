"""Training clips from a DataLoader: made in worker processes while the steps before them are computed.

A batch is a pure function of seed, rank and step, so the data set is the steps themselves: number ``n`` is the batch of
step ``n``, and a run that is resumed gets the batches of an undisturbed one, with any number of workers.

Where clips are rendered on a GPU, workers read and draw them, and a thread of the main process renders them ahead, on a
CUDA stream of its own. What comes from a worker goes through a pipe as NumPy arrays: shared memory is scarce in
containers.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from limpet.core.errors import LimpetError
from limpet.core.provenance import usable_cores
from limpet.data import ClipBatch, TrainingClips

MOST_WORKERS = 8
PREFETCHED = 2  # batches for each worker
AHEAD = 2  # batches that are rendered ahead on a GPU
POLL_SECONDS = 0.1
T = TypeVar("T")


def default_workers(processes: int = 1) -> int:
    """Worker processes for each of ``processes`` that train: a core each, but for the one that trains; at most 8."""
    return max(0, min(MOST_WORKERS, usable_cores() // processes - 1))


def clip_batches(
    clips: TrainingClips,
    first: int,
    steps: int,
    workers: int = 0,
    progress: Callable[[int], float] | None = None,
    ahead: int | None = None,
) -> Iterator[tuple[int, ClipBatch]]:
    """Each step from ``first`` to ``steps`` - 1 with its batch, on the device of ``clips``.

    Args:
        workers: processes that make the clips; 0 makes them in this one, when they are asked for.
        progress: how far the training is at a step, 0 to 1, asked in the workers; None: the share of ``steps``.
        ahead: how many batches a thread renders before they are asked for; 0: none; None: AHEAD on GPUs.

    Raises:
        DataError: a batch cannot be made, as in ``TrainingClips.batch``.
    """
    data = ClipSteps(clips, steps, packed=workers > 0, progress=progress)
    loader = DataLoader(
        data,
        batch_size=None,
        sampler=range(first, steps),
        num_workers=workers,
        prefetch_factor=PREFETCHED if workers else None,
        collate_fn=_as_it_is,
        worker_init_fn=_begin_worker,
    )

    def rendered(made: Iterator[Any]) -> Iterator[tuple[int, ClipBatch]]:
        for step, each in zip(range(first, steps), made, strict=True):
            if isinstance(each, LimpetError):
                raise each
            yield step, _unpacked(clips, step, data.progress(step), each)

    batches = rendered(iter(loader))  # the workers are started here, not in the thread
    if ahead is None:
        ahead = 0 if clips.device.type == "cpu" else AHEAD
    if ahead == 0:
        yield from batches
        return
    for step, batch in taken_ahead(batches, ahead, clips.device):
        if clips.device.type == "cuda":
            for tensor in (batch.images, batch.masks):
                tensor.record_stream(torch.cuda.current_stream(clips.device))
        yield step, batch


def taken_ahead(items: Iterator[T], count: int, device: torch.device) -> Iterator[T]:
    """The items, of which a thread takes up to ``count`` before they are asked for; what it raises is raised here.

    On a GPU its work is on a stream of its own, and done when an item comes out.
    """
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(count)
    closed = threading.Event()
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def put(item: T | None, error: BaseException | None) -> None:
        while not closed.is_set():
            try:
                return ready.put((item, error), timeout=POLL_SECONDS)
            except queue.Full:
                continue

    def take() -> None:
        on_stream: AbstractContextManager[Any] = (
            nullcontext() if stream is None else torch.cuda.stream(stream)
        )
        try:
            with on_stream:
                for item in items:
                    if stream is not None:
                        stream.synchronize()
                    put(item, None)
                    if closed.is_set():
                        return
            put(None, StopIteration())
        except BaseException as error:
            put(None, error)

    thread = threading.Thread(target=take, name="clips", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        closed.set()
        thread.join()


class ClipSteps(Dataset[Any]):
    """The batches of a training by step. Errors of the user are returned: raised, a worker would add its traceback.

    Args:
        clips: makes them. steps: of the whole training.
        packed: as NumPy arrays, for the way from a worker; clips that are to be rendered on a GPU are only drawn then.
        progress: how far the training is at a step, 0 to 1; None: the share of the steps.
    """

    def __init__(
        self, clips: TrainingClips, steps: int, packed: bool, progress: Callable[[int], float] | None = None
    ) -> None:
        self.clips, self.steps, self.packed, self._progress = clips, steps, packed, progress

    def progress(self, step: int) -> float:
        """How far the training is, 0 to 1."""
        return step / self.steps if self._progress is None else self._progress(step)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Any:
        progress = self.progress(step)
        try:
            if not self.packed:
                return self.clips.batch(step, progress)
            if self.clips.device.type != "cpu":
                return self.clips.draw(step, progress)
            batch = self.clips.batch(step, progress)
            return batch.images.numpy(), batch.masks.numpy().astype(np.uint8), batch.object_counts
        except LimpetError as error:
            return error


def _unpacked(clips: TrainingClips, step: int, progress: float, made: Any) -> ClipBatch:
    if isinstance(made, ClipBatch):
        return made
    if isinstance(made, list):
        return clips.batch(step, progress, made)
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
