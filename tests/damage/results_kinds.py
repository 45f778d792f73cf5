"""Projects, states, unfinished runs, reports and batches."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli.clips import write_images
from networks import frames, mask_of, small_tracker
from project.tiny import Repeats, boxes, make_video
from results.reports import example
from safetensors.torch import save

from limpet.batch.job import BatchJob
from limpet.batch.job_list import JobFile
from limpet.batch.job_settings import JobSettings
from limpet.batch.ledger import JobOutcome, Ledger
from limpet.batch.run_job import outcome_in
from limpet.project import Project
from limpet.results.run_folder import RunFolder, complete_run, is_unfinished
from limpet.state import TrackerState
from limpet.tensor_files import read_tensors
from limpet.tracking.resume import find_point
from limpet.tracking.track_video import track

from .kind import Kind, ToldError, with_check_sum

_RUN = "out/.limpet-run"


def _make_project(folder: Path) -> None:
    project = Project.create(folder / "job", make_video(folder / "clip", 5))
    project.add(0, boxes((1, 2), (2, 9)), {1: "cat", 2: "dog"})
    project.propagate(Repeats())
    project.correct(2, boxes((1, 4)), [1])
    project.lock(3)
    project.rename(2, "hen")
    project.undo()


def _read_project(folder: Path) -> Any:
    project = Project.open(folder / "job")
    if project.problems:
        raise ToldError("; ".join(project.problems))
    statuses = list(project.statuses()) if project.length < 1000 else None
    masks = {frame: project.mask_bytes(frame) for frame, _ in statuses or ()}
    spans, given = project.snapshot.locked, project.snapshot.given
    return project.objects, statuses, masks, spans, given, project.position, [e.number for e in project.edits]


def _arrays(state: TrackerState) -> Any:
    parts = [tensor.numpy().tobytes() for _, tensor in sorted(state._tensors().items())]
    return parts, json.dumps(state._facts(), sort_keys=True)


def _make_state(folder: Path) -> None:
    tracker = small_tracker(gap=1)
    one, two = frames(2, 17, 17)
    state = tracker.start(one, mask_of(1, 7, height=17, width=17))
    tracker.step(two, state)[1].save(folder / "state.safetensors")


@contextmanager
def _a_state_after_every_frame() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("limpet.tracking.state_checkpoints.INTERVAL", 0.0)
        patch.setattr("limpet.tracking.state_checkpoints.LARGEST_SHARE", 1e9)
        yield


def _make_unfinished_run(folder: Path) -> None:
    """What a run that is killed after two of four frames leaves."""
    shots = write_images(folder / "shots", frames(4, 17, 33), "{:03d}.png")

    def kept(done: int, total: int | None) -> None:
        if done == 2:
            shutil.copytree(folder / "whole", folder / "out")

    settings: dict[str, Any] = {"tracker": small_tracker(gap=1), "overlay": False, "on_frame": kept}
    with _a_state_after_every_frame():
        track(shots, mask_of(7, 200, height=17, width=33), folder / "whole", **settings)
    run, _ = RunFolder(folder / "out").read()
    (folder / "settings.json").write_text(json.dumps(run["settings"]))


def _read_unfinished_run(folder: Path) -> Any:
    if not is_unfinished(folder / "out"):
        raise ToldError("no run is there")
    point = find_point(folder / "out", json.loads((folder / "settings.json").read_text()))
    return None if point is None else (repr(point.rows), _arrays(point.state), point.end)


def _or_earlier(right: Any, found: Any) -> bool:
    """The journal ends earlier and the run goes on from an earlier frame, whose rows are those of the whole one."""
    return found is None or right[0].startswith(found[0][: -len(",)")].removesuffix(")").rstrip(","))


def _make_report(folder: Path) -> None:
    report = example(command="limpet track")
    report.write(folder)


def _make_ledger(folder: Path) -> None:
    with Ledger(folder) as ledger:
        ledger.start()
        ledger.begin("dog", "key", False)
        ledger.end("dog", "key", JobOutcome("partly", "cut off", 3, (1, 2), (2,), ("frame 3: lost",)))
        ledger.begin("cat", "other", True)


def _read_ledger(folder: Path) -> Any:
    with Ledger(folder) as ledger:
        return [(ledger.find(name), ledger.outcome(name)) for name in ("dog", "cat")]


def _fewer(right: Any, found: Any) -> bool:
    """An incomplete last line was never written: a job has not ended, or has not begun."""
    pairs = zip(found, right, strict=True)
    return all(now == was or now[0] is None or now[0].status is None for now, was in pairs)


def _outcome(folder: Path) -> Any:
    return outcome_in(folder, BatchJob("clip.mp4", "mask.png", "clip", add={5: "more.png"}))


def _make_list(folder: Path) -> None:
    rows = [
        {"video": "a.mp4", "mask": "a.png", "add": "3:b.png"},
        {"video": "b.mp4", "mask": "b.png", "flip": True},
    ]
    (folder / "jobs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "jobs.csv").write_text('video,mask,name,max_size\na.mp4,a.png,one,240\n"b,c.mp4",b.png,two,\n')


def _loose_state() -> Kind:
    """A state whose file has no check sum, as others write it."""

    def make(folder: Path) -> None:
        _make_state(folder)
        path = folder / "state.safetensors"
        facts, tensors = read_tensors(path)
        path.write_bytes(save(tensors, facts))

    return Kind(make, "state.safetensors", _read_state)


def _read_state(folder: Path) -> Any:
    return _arrays(TrackerState.load(folder / "state.safetensors"))


def _lines_with_sums(data: bytes) -> bytes:
    """A journal whose every line has the check sum that belongs to it."""
    texts = [line[9:] for line in data.split(b"\n")]
    return b"".join(b"%08x %s\n" % (zlib.crc32(text), text) for text in texts if text)


RESULTS = {
    "project": Kind(_make_project, "job/project.json", _read_project, True),
    "project, sum mended": Kind(_make_project, "job/project.json", _read_project, mended=with_check_sum),
    "history": Kind(_make_project, "job/history/00004.json", _read_project, True),
    "history, sum mended": Kind(
        _make_project, "job/history/00004.json", _read_project, mended=with_check_sum
    ),
    "page of a project": Kind(_make_project, "job/pages/*/*.json", _read_project, True),
    "mask of a project": Kind(_make_project, "job/masks/*/*.png", _read_project, True),
    "state": Kind(_make_state, "state.safetensors", _read_state, True),
    "state without a sum": _loose_state(),
    "journal": Kind(
        _make_unfinished_run, f"{_RUN}/journal.txt", _read_unfinished_run, True, also_right=_or_earlier
    ),
    "journal, sums mended": Kind(
        _make_unfinished_run, f"{_RUN}/journal.txt", _read_unfinished_run, mended=_lines_with_sums
    ),
    "state of a run": Kind(
        _make_unfinished_run,
        f"{_RUN}/state-00001.safetensors",
        _read_unfinished_run,
        True,
        also_right=_or_earlier,
    ),
    "report": Kind(_make_report, "report.json", complete_run),
    "report of a job": Kind(_make_report, "report.json", _outcome),
    "journal of a batch": Kind(
        _make_ledger, ".limpet-batch/journal.txt", _read_ledger, True, also_right=_fewer
    ),
    "journal of a batch, sums mended": Kind(
        _make_ledger, ".limpet-batch/journal.txt", _read_ledger, mended=_lines_with_sums
    ),
    "list of jobs, JSON": Kind(
        _make_list, "jobs.jsonl", lambda at: list(JobFile(at / "jobs.jsonl", JobSettings()))
    ),
    "list of jobs, CSV": Kind(
        _make_list, "jobs.csv", lambda at: list(JobFile(at / "jobs.csv", JobSettings()))
    ),
}
