"""An older short-term memory, as the authors of DeAOT used for VOT: a queue of frames, of which the oldest is read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from networks import (
    NARROW_DEVOS,
    NARROW_STCN,
    frames,
    lively_devos,
    lively_model,
    lively_stcn,
    mask_of,
    small_config,
)

from limpet.core.errors import ModelError
from limpet.memory import Memory
from limpet.state import TrackerState
from limpet.tracking.batched_tracker import BatchedTracker
from limpet.tracking.memory_policies import Ring
from limpet.tracking.tracker import Tracker


def tracker(skip: int, **options: object) -> Tracker:
    return Tracker(lively_model(small_config()), precision="fp32", short_term_skip=skip, **options)  # type: ignore[arg-type]


def same(one: Memory, other: Memory) -> bool:
    return all(torch.equal(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))


def states(of: Tracker, count: int = 7) -> list[TrackerState]:
    images = frames(count)
    found = [of.start(images[0], mask_of(7, 200))]
    for image in images[1:]:
        found.append(of.step(image, found[-1])[1])
    return found


def test_the_memory_read_is_that_of_so_many_frames_ago() -> None:
    skip = 3
    seen = states(tracker(skip))
    newest = [state.groups[0].latest for state in seen]
    for index, state in enumerate(seen):  # what the step to frame index + 1 reads
        read = state.groups[0].short_term
        assert same(read, newest[max(0, index + 1 - skip)]), index
        assert len(state.groups[0].newer) == min(index, skip - 1)
    assert not same(newest[4], newest[5]), "else nothing is told apart"


def test_one_is_the_previous_frame_and_changes_nothing() -> None:
    plain = states(Tracker(lively_model(small_config()), precision="fp32"))
    for one, other in zip(plain, states(tracker(1)), strict=True):
        assert torch.equal(one.mask, other.mask) and other.groups[0].newer == ()
    assert any(not torch.equal(a.mask, b.mask) for a, b in zip(plain, states(tracker(4)), strict=True))


def test_the_long_term_memory_gets_the_latest_frame() -> None:
    seen = states(tracker(3, memory=Ring(gap=2, max_frames=4)))
    group = seen[-1].groups[0]
    assert [frame.index for frame in group.frames] == [6, 4, 2, 0]
    assert same(group.long_term.frame(0), seen[6].groups[0].latest)
    assert same(group.long_term.frame(1), seen[4].groups[0].latest)


def test_a_correction_begins_the_queue_anew() -> None:
    of, images = tracker(3), frames(8)
    state = of.add(images[6], mask_of(7), states(of)[-1])
    assert state.groups[0].newer == ()
    read = state.groups[0].short_term
    _, after = of.step(images[7], state)
    assert same(after.groups[0].short_term, read) and len(after.groups[0].newer) == 1


def test_a_saved_state_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    of, image = tracker(3), frames(8)[7]
    state = states(of)[-1]
    state.save(tmp_path / "state.safetensors")
    again = TrackerState.load(tmp_path / "state.safetensors")
    assert again.nbytes == state.nbytes and len(again.groups[0].newer) == 2
    one, other = of.step(image, state)[1], of.step(image, again)[1]
    assert torch.equal(one.mask, other.mask)
    assert same(one.groups[0].short_term, other.groups[0].short_term)


def test_waiting_memories_count_in_the_byte_budget() -> None:
    seen = states(tracker(3, memory=Ring(gap=1, max_frames=None)))
    group = seen[-1].groups[0]
    assert group.short_term_nbytes == 3 * group.short_term.nbytes
    budget = seen[-1].mask.nbytes + 5 * group.short_term.nbytes
    of = tracker(3, memory=Ring(gap=1, max_frames=None, max_bytes=budget))
    assert all(state.nbytes <= budget for state in states(of))
    with pytest.raises(ModelError, match="the smallest that works"):
        states(tracker(3, memory=Ring(max_bytes=budget - 2 * group.short_term.nbytes)))


def test_it_is_among_the_facts_of_a_run() -> None:
    assert tracker(4).facts((65, 97)).as_dict()["short_term_skip"] == 4
    assert "short_term_skip" not in tracker(1).facts((65, 97)).as_dict()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ModelError, match="short_term_skip is 0; expected at least 1"):
        tracker(0)
    with pytest.raises(
        ModelError, match="follows optical flow from the previous frame; leave out short_term_skip=2"
    ):
        Tracker(lively_devos(NARROW_DEVOS), precision="fp32", short_term_skip=2)
    with pytest.raises(ModelError, match="reads no short-term memory; leave out short_term_skip=2"):
        Tracker(lively_stcn(NARROW_STCN), precision="fp32", short_term_skip=2)
    with pytest.raises(ModelError, match="load the tracker without flip, scales and short_term_skip"):
        BatchedTracker.from_tracker(tracker(2), (65, 97), 1)
