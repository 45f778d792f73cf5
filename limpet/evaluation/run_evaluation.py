"""Evaluate a split into a folder: only the videos that are missing, in one process or in several."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import cv2

from limpet.core.errors import DataError, LimpetError
from limpet.core.provenance import usable_cores
from limpet.core.tracker_protocol import AnyTracker
from limpet.evaluation.evaluate_videos import OnFrame, check_predictions, run_video, score_video
from limpet.evaluation.evaluation_folder import EvaluationFolder, stamp_of
from limpet.evaluation.protocols.evaluation_protocol import DEFAULTS, ProtocolOptions
from limpet.evaluation.protocols.known_protocols import open_protocol
from limpet.evaluation.saved_masks import find_predictions
from limpet.evaluation.video_result import VideoResult

MakeTracker = Callable[[], AnyTracker[Any]]
OnVideo = Callable[[VideoResult], None]
"""Called with the result of each video as soon as it is there."""


@dataclass(frozen=True)
class EvaluationJob:
    """What is evaluated; plain data, so that it can be sent to another process.

    Args:
        protocol: its key. root, split, options: see ``open_protocol``.
        make_tracker: makes the tracker in each process; None scores saved masks.
        predictions: folder of saved masks.
        masks: folder for the masks that are asked for; None keeps none.
        apart: follow every object on its own.
    """

    protocol: str
    root: Path
    split: str | None = None
    options: ProtocolOptions = DEFAULTS
    make_tracker: MakeTracker | None = None
    predictions: Path | None = None
    masks: Path | None = None
    apart: bool = False


def run_evaluation(
    job: EvaluationJob,
    folder: EvaluationFolder,
    *,
    tracker: AnyTracker[Any] | None = None,
    processes: int = 1,
    on_frame: OnFrame | None = None,
    on_video: OnVideo | None = None,
) -> list[VideoResult]:
    """The results of all videos of the split, in its order.

    Args:
        folder: keeps the result of each video; those that are there are not computed again.
        tracker: to use in this process; None makes one where a video is missing.
        processes: how many videos at a time, each in a process of its own.
        on_frame: called after each frame, where there is one process.

    Raises:
        DataError, MaskError, OutputError: a video cannot be evaluated; those done before are kept.
    """
    protocol = open_protocol(job.protocol, job.root, job.split, job.options)
    names = protocol.names()
    predictions = job.predictions and find_predictions(job.predictions, names)
    stamps = {name: stamp_of(predictions / name) if predictions else "" for name in names}
    results = {name: folder.result(name, stamps[name]) for name in names}
    missing = [name for name in names if results[name] is None]
    if predictions:
        for name in missing:  # all are checked first, so that a gap is known before the work
            check_predictions(predictions, protocol.task(name))
    for result in filter(None, results.values()):
        if on_video:
            on_video(result)
    for result in _evaluate(job, missing, tracker, min(processes, len(missing)), on_frame):
        folder.keep(result, stamps[result.name])
        results[result.name] = result
        if on_video:
            on_video(result)
    return [result for result in results.values() if result is not None]


class _Evaluator:
    """Evaluates videos one after another in this process."""

    def __init__(self, job: EvaluationJob, tracker: AnyTracker[Any] | None = None) -> None:
        self.job = job
        self.protocol = open_protocol(job.protocol, job.root, job.split, job.options)
        self.tracker = tracker if tracker is not None or job.make_tracker is None else job.make_tracker()

    def __call__(self, name: str, on_frame: OnFrame | None = None) -> VideoResult:
        job, task = self.job, self.protocol.task(name)
        if job.predictions is not None:
            return score_video(
                find_predictions(job.predictions, self.protocol.names()), task, on_frame=on_frame
            )
        if self.tracker is None:
            raise DataError("there is no tracker and no folder of predictions; give one of them")
        return run_video(self.tracker, task, save_masks=job.masks, apart=job.apart, on_frame=on_frame)


def _evaluate(
    job: EvaluationJob,
    names: Sequence[str],
    tracker: AnyTracker[Any] | None,
    processes: int,
    on_frame: OnFrame | None,
) -> Iterator[VideoResult]:
    if processes > 1:
        yield from _in_processes(job, names, processes)
    elif names:
        evaluate = _Evaluator(job, tracker)
        for name in names:
            yield evaluate(name, on_frame)


def _in_processes(job: EvaluationJob, names: Iterable[str], count: int) -> Iterator[VideoResult]:
    """The results as they come. A process that dies, or an error in one, ends all."""
    context, left = get_context("spawn"), iter(names)
    threads = max(1, usable_cores() // count)
    workers: dict[Any, Any] = {}  # the end of its pipe in this process -> the process
    earlier = os.environ.get("OMP_NUM_THREADS")
    try:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # read by torch in the new processes
        for _ in range(count):
            here, there = context.Pipe()
            worker = context.Process(target=_work, args=(job, there, threads), daemon=True)
            here.send(next(left, None))  # waits in the pipe for the process
            worker.start()
            there.close()
            workers[here] = worker
        while workers:
            for ready in wait(list(workers)):
                result = _exchange(ready, left)
                if result is None:
                    workers.pop(ready).join()
                else:
                    yield result
    finally:
        if earlier is None:
            os.environ.pop("OMP_NUM_THREADS", None)
        else:
            os.environ["OMP_NUM_THREADS"] = earlier
        for worker in workers.values():
            worker.terminate()
            worker.join()


def _exchange(connection: Any, left: Iterator[str]) -> VideoResult | None:
    """Take the result of a process, None when it is done, and give it the next video.

    Raises:
        LimpetError: what went wrong in it, or that it died.
    """
    try:
        answer = connection.recv()
        if isinstance(answer, dict):
            connection.send(next(left, None))
    except (EOFError, OSError) as error:
        raise LimpetError(
            "a process of the evaluation ended before it was done, perhaps for lack of memory; use fewer processes, or "
            "run the command again: what is done is kept"
        ) from error
    if isinstance(answer, str):
        raise LimpetError(answer)
    return None if answer is None else VideoResult.from_dict(answer)


def _work(job: EvaluationJob, connection: Connection, threads: int) -> None:
    """The loop of one process: names of videos come, results go; None ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends this one
    cv2.setNumThreads(threads)
    try:
        evaluate = _Evaluator(job)
        while (name := connection.recv()) is not None:
            connection.send(evaluate(name).as_dict())
        connection.send(None)
    except LimpetError as error:
        connection.send(error.command_line_message)
