"""Carry out ``limpet eval DATASET``: the job that its options describe, its folder, and its progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from limpet.cli.options import load_arguments
from limpet.cli.terminal import FrameProgress, note, say
from limpet.core.errors import ModelError, OutputError

if TYPE_CHECKING:
    from limpet.core.tracker_protocol import AnyTracker
    from limpet.evaluation.protocols.evaluation_protocol import EvaluationProtocol
    from limpet.evaluation.run_evaluation import EvaluationJob
    from limpet.evaluation.video_result import VideoResult
    from limpet.evaluation.video_task import VideoTask
    from limpet.tracking.tracker import Tracker


def load_tracker(arguments: Mapping[str, Any], gap: int | None) -> Tracker:
    """The tracker of ``limpet.load`` with another gap of its memory. Raises ModelError where it has none."""
    import limpet

    tracker = limpet.load(**arguments)
    if gap is not None:
        if tracker.memory.gap is None:
            raise ModelError(
                f"--memory-gap is {gap}, but the memory policy '{tracker.memory.name}' keeps no tracked frames; choose "
                "another one: --memory official, ring or bounded"
            )
        tracker.memory = replace(tracker.memory, gap=gap)
    return tracker


def make_job(
    key: str,
    root: Path,
    split: str | None,
    own: Mapping[str, Any],
    predictions: Path | None,
    options: Mapping[str, Any],
    apart: bool,
) -> EvaluationJob:
    """What is to be evaluated, from the options of the command; ``predictions``: masks made before, or None.

    Raises:
        ModelError: unknown names, or options that the model cannot take.
    """
    from limpet.evaluation.protocols.evaluation_protocol import ProtocolOptions
    from limpet.evaluation.run_evaluation import EvaluationJob

    tracker_names = {"memory", "memory_gap", "memory_budget", "precision"}
    arguments = load_arguments({name: value for name, value in options.items() if name not in tracker_names})
    arguments |= {
        "memory": options["memory"],
        "memory_budget_mb": options["memory_budget"],
        "precision": options["precision"],
    }
    make = None if predictions else partial(load_tracker, arguments, options["memory_gap"])
    return EvaluationJob(key, root, split, ProtocolOptions(**own), make, predictions, None, apart)


def evaluate(
    job: EvaluationJob,
    options: Mapping[str, Any],
    out: Path | None,
    *,
    keeps_masks: bool,
    processes: int,
    overwrite: bool,
) -> None:
    """Do what is missing of a job, with a bar, and print its tables; the results stay in ``out`` if it is given.

    Raises:
        DataError, ModelError, OutputError: see ``limpet.evaluation.run_evaluation``.
    """
    from limpet.cli.evaluation_report import report
    from limpet.evaluation.evaluation_folder import EvaluationFolder
    from limpet.evaluation.protocols.known_protocols import open_protocol
    from limpet.evaluation.run_evaluation import run_evaluation

    protocol = open_protocol(job.protocol, job.root, job.split, job.options)
    names = protocol.names()
    tracker = job.make_tracker() if job.make_tracker else None
    keeps_masks = keeps_masks and out is not None and tracker is not None
    with _place(out) as place:
        settings = _settings(job, protocol, options, tracker)
        folder = EvaluationFolder(place, settings, keeps_masks=keeps_masks, overwrite=overwrite)
        job = replace(job, masks=folder.masks if keeps_masks else None)
        _refuse_pointless(protocol, out, keeps_masks, job)
        with _progress(len(names), processes) as (on_frame, on_video):
            results = run_evaluation(
                job, folder, tracker=tracker, processes=processes, on_frame=on_frame, on_video=on_video
            )
        report(protocol, results, tracker, job, out, settings)
        folder.release()


def _settings(
    job: EvaluationJob,
    protocol: EvaluationProtocol,
    options: Mapping[str, Any],
    tracker: AnyTracker[Any] | None,
) -> dict[str, Any]:
    """What the results depend on; a folder with other settings is not continued."""
    found: dict[str, Any] = {
        "dataset": job.protocol, "root": str(job.root.resolve()), "split": protocol.split, "frames": protocol.rate,
        "resolution": job.options.resolution, "version": job.options.version,
        "seen": job.options.seen and str(job.options.seen),
        "predictions": job.predictions and str(job.predictions.resolve()), "apart": job.apart,
    }  # fmt: skip
    if tracker is not None:
        weights = getattr(tracker, "weights_sha256", None)
        kept = {name: value for name, value in options.items() if name not in ("weights", "device")}
        found |= {"model": tracker.name, "weights": weights}
        found |= {name: value for name, value in kept.items() if name != "model"}
    return found


def _refuse_pointless(
    protocol: EvaluationProtocol, out: Path | None, keeps_masks: bool, job: EvaluationJob
) -> None:
    """Raises OutputError, before any work, where labels are withheld and nothing would be kept."""
    first = protocol.names()[0]
    if not protocol.task(first).labelled and not keeps_masks:
        what = "scores of saved masks" if job.predictions else "scores"
        raise OutputError(
            f"the labels of {protocol.label} are withheld, so that there are no {what}; run a model and give --out DIR "
            f"(without --no-masks) for the masks and the submission, or check one: limpet eval check"
        )


@contextmanager
def _place(out: Path | None) -> Iterator[Path]:
    if out is not None:
        yield out
        return
    with TemporaryDirectory(prefix="limpet-eval-") as folder:
        yield Path(folder)


@contextmanager
def _progress(
    count: int, processes: int
) -> Iterator[tuple[Callable[[VideoTask, int], None], Callable[[VideoResult], None]]]:
    """A bar; yields what to call after each frame and after each video."""
    done = 0
    masks = 0
    with FrameProgress() as progress:

        def on_frame(task: VideoTask, index: int) -> None:
            progress(index + 1, task.length, f"{done + 1}/{count} {task.name}")

        def on_video(result: VideoResult) -> None:
            nonlocal done, masks
            done, masks = done + 1, masks + result.answered
            if processes > 1:
                progress(masks, None, f"{done}/{count} videos")

        try:
            yield on_frame, on_video
        except KeyboardInterrupt:
            progress.clear()
            note(f"{done} of {count} videos are done; run the same command again to do the rest")
            raise
    if processes > 1:
        say(f"{count} videos in {processes} processes")
