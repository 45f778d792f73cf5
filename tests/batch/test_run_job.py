"""One job, in this process: which tracker it gets, what is left of earlier tries, and what its outcome says."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli.clips import write_images
from networks import frames, mask_of, small_tracker

from limpet.batch.job import BatchJob, JobTask
from limpet.batch.job_settings import JobSettings
from limpet.batch.run_job import TrackerShelf, load_tracker, run_job
from limpet.core.masks import write_mask
from limpet.results.run_folder import RunFolder
from limpet.tracking.track_video import track
from limpet.tracking.tracker import Tracker

COUNT = 3


@pytest.fixture(scope="module")
def tracker() -> Tracker:
    return small_tracker()


@pytest.fixture
def job(tmp_path: Path) -> BatchJob:
    write_images(tmp_path / "shots", frames(COUNT), "{:03d}.png")
    write_mask(tmp_path / "first.png", mask_of(7, 200))
    write_mask(tmp_path / "new.png", mask_of(9))
    settings = JobSettings(overlay=False)
    return BatchJob(str(tmp_path / "shots"), str(tmp_path / "first.png"), "shots", settings=settings)


def nothing(done: int, total: int | None) -> None: ...


def task(job: BatchJob, folder: Path, start_again: bool = False) -> JobTask:
    return JobTask(job, str(folder / "out"), start_again)


def test_jobs_with_the_same_model_share_a_tracker() -> None:
    made: list[tuple[JobSettings, str]] = []
    shelf = TrackerShelf(lambda settings, device: made.append((settings, device)) or object(), "cpu")  # type: ignore
    plain, other = JobSettings(), JobSettings(max_size=320)
    first = shelf.find(plain)
    assert shelf.find(replace(plain, max_frames=3, overlay=False, resize_mask=True)) is first
    assert shelf.find(other) is not first
    assert made == [(plain, "cpu"), (other, "cpu")]


def test_the_tracker_is_that_of_the_settings() -> None:
    settings = JobSettings(
        "deaot-nano", max_size=64, enlarge=1.2, precision="fp32", memory="ring", objects_at_once=3
    )
    facts = load_tracker(settings, "cpu").facts((96, 128))
    assert (facts.model, facts.precision, facts.memory) == ("deaot-nano", "float32", "ring")
    assert (facts.objects_at_once, facts.device, min(facts.network_size)) == (3, "cpu", 65)


def test_an_outcome_is_the_same_when_the_job_was_done_already(
    tracker: Tracker, job: BatchJob, tmp_path: Path
) -> None:
    job = replace(job, add={1: str(tmp_path / "new.png")})
    shelf = TrackerShelf(lambda *_: tracker, "cpu")
    first, again = (run_job(task(job, tmp_path), nothing, shelf) for _ in range(2))
    assert first == again and first.status == "done"
    assert (first.frames, first.object_ids, first.reason) == (COUNT, (7, 9, 200), "")


@pytest.mark.parametrize("kept", [False, True])
def test_a_first_mask_of_a_later_frame(tracker: Tracker, job: BatchJob, tmp_path: Path, kept: bool) -> None:
    """The results are those of ``limpet.track``, byte for byte, also where an earlier try died before the mask."""
    job, shelf = (
        replace(job, frame=1, add={2: str(tmp_path / "new.png")}),
        TrackerShelf(lambda *_: tracker, "cpu"),
    )

    def die(done: int, total: int | None) -> None:
        raise SystemExit

    if kept:
        with pytest.raises(SystemExit):
            run_job(task(job, tmp_path), die, shelf)
        assert (tmp_path / "out/masks/00000.png").exists()
    assert run_job(task(job, tmp_path), nothing, shelf).object_ids == (7, 9, 200)
    masks = {1: job.mask, **job.add}
    track(job.video, None, tmp_path / "alone", tracker=tracker, add=masks, overlay=False)
    files = sorted(path.relative_to(tmp_path / "alone") for path in (tmp_path / "alone").rglob("*.*"))
    assert len(files) == COUNT + 3
    for name in files:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes(), name


def test_a_mask_that_belongs_to_no_picture_makes_it_partly(
    tracker: Tracker, job: BatchJob, tmp_path: Path
) -> None:
    (tmp_path / "shots/001.png").write_bytes(b"torn")
    outcome = run_job(
        task(replace(job, add={1: str(tmp_path / "new.png")}), tmp_path),
        nothing,
        TrackerShelf(lambda *_: tracker, "cpu"),
    )
    assert outcome.status == "partly" and outcome.frames == COUNT
    assert outcome.reason.startswith("the mask for frame 1 was not used")


def test_errors_are_outcomes(
    tracker: Tracker, job: BatchJob, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(settings: JobSettings, device: str) -> Any:
        raise RuntimeError("CUDA is out of order")

    missing = run_job(task(replace(job, mask="none.png"), tmp_path), nothing, TrackerShelf(fail, "cpu"))
    assert missing.status == "failed" and "none.png" in missing.reason and not missing.again
    odd = run_job(task(job, tmp_path), nothing, TrackerShelf(fail, "cpu"))
    assert odd.reason == "RuntimeError: CUDA is out of order" and odd.again
    assert "Traceback" in capsys.readouterr().err, "for the log of the worker"


def test_an_earlier_try_with_other_settings_is_discarded_when_asked(
    tracker: Tracker, job: BatchJob, tmp_path: Path
) -> None:
    shelf = TrackerShelf(lambda *_: tracker, "cpu")
    short = replace(job, settings=replace(job.settings, max_frames=1))
    assert run_job(task(short, tmp_path), nothing, shelf).frames == 1
    assert "other settings" in run_job(task(job, tmp_path), nothing, shelf).reason
    assert run_job(task(job, tmp_path, start_again=True), nothing, shelf).frames == COUNT


def test_what_an_exported_tracker_left_is_begun_again(
    tracker: Tracker, job: BatchJob, tmp_path: Path
) -> None:
    class Exported:
        """As exported trackers are: it saves no states."""

        resumable = False

        def __getattr__(self, name: str) -> Any:
            return getattr(tracker, name)

    shelf = TrackerShelf(lambda *_: Exported(), "cpu")  # type: ignore[arg-type]
    job = replace(job, settings=JobSettings(bundle="bundle", overlay=False))
    outcomes = [run_job(task(job, tmp_path), nothing, shelf) for _ in range(2)]
    assert [each.status for each in outcomes] == ["done", "done"] and outcomes[0] == outcomes[1]


def test_it_waits_for_an_earlier_worker(tracker: Tracker, job: BatchJob, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "out")
    run.path.mkdir(parents=True)
    run.lock()
    release = threading.Timer(0.5, run.release)
    release.start()
    assert run_job(task(job, tmp_path), nothing, TrackerShelf(lambda *_: tracker, "cpu")).status == "done"
    release.join()
