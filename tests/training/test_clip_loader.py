"""Clips from worker processes: the same as without, in order, with errors in words, and the memory shared out."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from limpet.core.errors import DataError
from limpet.data import ClipBatch, StillsFolder, TrainingClips
from limpet.training import clip_loader
from limpet.training.clip_loader import ClipSteps, clip_batches, default_workers, taken_ahead

from .tiny import CLIPS, make_stills


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> StillsFolder:
    return make_stills(tmp_path_factory.mktemp("stills"))


def equal(one: ClipBatch, other: ClipBatch) -> bool:
    same = torch.equal(one.images, other.images) and torch.equal(one.masks, other.masks)
    return same and one.object_counts == other.object_counts and one.masks.dtype == other.masks.dtype


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_steps_come_in_order_with_the_clips_of_their_progress(stills: StillsFolder, workers: int) -> None:
    config = replace(CLIPS, batch=2, crowd_prob=(0.0, 1.0))
    found = list(clip_batches(TrainingClips(config, stills), 2, 7, workers))
    assert [step for step, _ in found] == [2, 3, 4, 5, 6]
    again = TrainingClips(config, stills)
    assert all(equal(batch, again.batch(step, step / 7)) for step, batch in found)
    assert not equal(found[-1][1], again.batch(6, 0.0)), "progress counts"


def test_clips_may_be_made_ahead_in_a_thread(stills: StillsFolder) -> None:
    """As where they are rendered on a GPU; with the progress that somebody else keeps."""
    config = replace(CLIPS, crowd_prob=(0.0, 1.0))
    made = clip_batches(TrainingClips(config, stills), 1, 50, 0, progress=lambda step: 0.1 * step, ahead=2)
    again = TrainingClips(config, stills)
    assert all(equal(batch, again.batch(step, 0.1 * step)) for step, batch in (next(made) for _ in range(3)))
    thread = next(thread for thread in threading.enumerate() if thread.name == "clips")
    made.close()  # a run that stops early
    assert not thread.is_alive()
    assert list(taken_ahead(iter("abc"), 1, torch.device("cpu"))) == ["a", "b", "c"]


def test_an_error_of_the_thread_is_raised_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise DataError("torn")

    made = taken_ahead(items(), 3, torch.device("cpu"))
    assert next(made) == 1
    with pytest.raises(DataError, match="torn"):
        next(made)


def test_clips_that_are_drawn_elsewhere_are_rendered_alike(stills: StillsFolder) -> None:
    """As where they are rendered on a GPU; also where the first draw shows no object."""
    clips = TrainingClips(replace(CLIPS, size=33, min_pixels=350, batch=2), stills)
    attempts: list[int] = []
    sample = clips.sampler.sample

    def counted(step: int, index: int = 0, progress: float = 0.0, attempt: int = 0) -> object:
        attempts.append(attempt)
        return sample(step, index, progress, attempt)

    clips.sampler.sample = counted  # type: ignore[assignment]
    for step in range(6):
        expected = clips.batch(step, step / 6)
        assert equal(clips.batch(step, step / 6, clips.draw(step, step / 6)), expected)
    assert max(attempts) > 0, "else nothing was drawn a second time"


def test_a_worker_on_the_way_to_a_gpu_only_draws(stills: StillsFolder) -> None:
    clips = TrainingClips(CLIPS, stills)
    expected = clips.batch(3, 0.3)
    clips.device = torch.device("meta")  # stands for a GPU: what is not the CPU is not rendered in a worker
    made = ClipSteps(clips, 10, packed=True)[3]
    clips.device = torch.device("cpu")
    assert equal(clip_loader._unpacked(clips, 3, 0.3, made), expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_reaches_the_loop_in_its_own_words(tmp_path: Path, workers: int) -> None:
    folder = make_stills(tmp_path)
    for path in (tmp_path / "images").iterdir():
        path.write_bytes(b"torn")
    with pytest.raises(
        DataError, match=r"^no usable clip in 20 draws at step 5: .*look at the skipped files$"
    ):
        list(clip_batches(TrainingClips(CLIPS, folder), 5, 9, workers))


def test_workers_share_the_memory_for_pictures(stills: StillsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = TrainingClips(replace(CLIPS, image_cache_gb=1.0), stills)

    class Worker:
        dataset, num_workers = ClipSteps(clips, 1, packed=True), 4

    monkeypatch.setattr(clip_loader, "get_worker_info", Worker)
    clip_loader._begin_worker(0)
    assert [cache.max_bytes for cache in clips._caches] == [0.25e9, 0.25e9]


def test_workers_may_be_started_afresh(stills: StillsFolder) -> None:
    """Where processes are not forked, the data set is pickled; and its caches stay those of its sampler."""
    steps = pickle.loads(pickle.dumps(ClipSteps(TrainingClips(CLIPS, stills), 4, packed=False)))
    assert equal(steps[2], TrainingClips(CLIPS, stills).batch(2, 0.5))
    assert steps.clips.nbytes > 0


def test_a_core_is_left_for_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, processes, expected in ((1, 1, 0), (2, 1, 1), (2, 2, 0), (16, 1, 8), (16, 4, 3), (4, 8, 0)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)), raising=False)
        assert default_workers(processes) == expected
