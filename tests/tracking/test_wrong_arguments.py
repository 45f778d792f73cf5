"""What people pass to the library by mistake: a sentence, never an error of Python or torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from networks import frames, lively_model, mask_of, small_tracker

import limpet
from limpet.core import cpu
from limpet.core.errors import ModelError, VideoError
from limpet.state import TrackerState
from limpet.tracking.track_video import track
from limpet.tracking.tracker import Tracker


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        *(({"max_size": value}, "max_size is .*; expected a whole number") for value in (0, -5, 1.5, "480")),
        *(({"enlarge": value}, "enlarge is .*; expected 1") for value in (0.5, 9, "2", float("nan"))),
        *(({"objects_at_once": value}, "objects_at_once is .*; expected 1 to 10") for value in (0, 1.5, "3")),
        ({"precision": "fp8"}, "precision is 'fp8', expected auto, fp32 or bf16"),
    ],
)
def test_settings_that_no_tracker_can_have(setting: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        Tracker(lively_model(), **setting)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        *(
            ({"memory_budget_mb": value}, "memory budget is .* MB; expected")
            for value in (0, float("inf"), "9")
        ),
        *(
            ({"scales": value}, "scale is .*; expected a number above 0")
            for value in ((0.0,), ("1",), (float("nan"),))
        ),
    ],
)
def test_settings_that_are_refused_before_weights_are_read(setting: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        limpet.load("deaot-nano", weights="nowhere.safetensors", device="cpu", **setting)


def test_step_without_unpacking() -> None:
    tracker, pictures = small_tracker(), frames(2)
    both = tracker.step(pictures[1], tracker.start(pictures[0], mask_of(1, 2)))
    for call in (lambda: tracker.step(pictures[1], both), lambda: tracker.add(pictures[1], both[0], both)):  # type: ignore[arg-type]
        with pytest.raises(
            ModelError, match="the state is a tuple: step returns the mask and the state; write"
        ):
            call()
    for state in (None, "state", both[0]):
        with pytest.raises(ModelError, match=r"the state is a .*; expected the TrackerState"):
            tracker.step(pictures[1], state)  # type: ignore[arg-type]


@pytest.mark.parametrize("tracker", ["deaot-t", None, 7, Path("weights.safetensors")])
def test_what_is_no_tracker(tracker: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the tracker is .*; expected one from limpet.load"):
        track(frames(2), mask_of(1, 2), tmp_path / "out", tracker=tracker)
    assert not (tmp_path / "out").exists()


def test_frames_in_memory_are_tracked(tmp_path: Path) -> None:
    pictures = frames(3)
    result = track(pictures, mask_of(1, 2), tmp_path / "a", tracker=small_tracker(), overlay=False)
    once = track(iter(pictures), mask_of(1, 2), tmp_path / "b", tracker=small_tracker(), overlay=False)
    assert (result.frames, once.frames) == (3, 3)
    for path in sorted((tmp_path / "a/masks").iterdir()):
        assert path.read_bytes() == (tmp_path / "b/masks" / path.name).read_bytes()


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1.0])
def test_a_limit_that_is_no_time(seconds: float, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=f"max_seconds is {seconds}; expected"):
        track(frames(2), mask_of(1, 2), tmp_path / "out", tracker=small_tracker(), max_seconds=seconds)


def named(model: str, weights: str) -> Tracker:
    tracker = small_tracker()
    tracker.name, tracker.weights_sha256 = model, weights
    return tracker


def test_a_state_knows_its_model_and_weights(tmp_path: Path) -> None:
    pictures = frames(2)
    state = named("deaot-t", "a" * 64).start(pictures[0], mask_of(1, 2))
    state.save(tmp_path / "state.safetensors")
    for each in (state, TrackerState.load(tmp_path / "state.safetensors"), state.clone()):
        with pytest.raises(
            ModelError, match="the state is of the model deaot-t, but the tracker has deaot-nano; step"
        ):
            named("deaot-nano", "b" * 64).step(pictures[1], each)
        with pytest.raises(ModelError, match="of the weights aaaaaaaaaaaa, but the tracker has bbbbbbbbbbbb"):
            named("deaot-t", "b" * 64).step(pictures[1], each)
        named("deaot-t", "a" * 64).step(pictures[1], each)
    small_tracker().step(pictures[1], state)  # one whose name is not known


def test_logits_that_are_no_numbers() -> None:
    tracker, pictures = small_tracker(), frames(2)
    state = tracker.start(pictures[0], mask_of(1, 2))
    memory = state.groups[0].short_term.map(lambda tensor: torch.full_like(tensor, float("nan")))
    broken = replace(state, groups=tuple(replace(group, short_term=memory) for group in state.groups))
    with pytest.raises(
        ModelError, match=r"confidence of object \d+ is nan; expected 0 to 1: .*precision='fp32'"
    ):
        tracker.step(pictures[1], broken)


@pytest.fixture
def fork_flags() -> Iterator[Callable[[], None]]:
    before = dict(cpu._fork)
    yield lambda: cpu._fork.update(happened=True)
    cpu._fork.update(before)


def test_a_step_after_a_fork_is_refused(
    fork_flags: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for threads that are gone."""
    tracker, pictures = small_tracker(), frames(1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    fork_flags()
    with pytest.raises(ModelError, match="this process was forked from one that had loaded a tracker"):
        tracker.start(pictures[0], mask_of(1, 2))
    with pytest.raises(ModelError, match="forked"):
        small_tracker()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert isinstance(tracker.start(pictures[0], mask_of(1, 2)), TrackerState)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_is_noticed() -> None:
    small_tracker()
    child = os.fork()
    if child == 0:
        os._exit(int(cpu._fork["happened"]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1 and not cpu._fork["happened"]
