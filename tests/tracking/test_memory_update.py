"""Memory policies in a tracker: the right frames are kept bit by bit, the budget holds, and undo works."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import (
    frames,
    lively_model,
    mask_of,
    same_state,
    small_config,
    small_tracker,
    tensors_of,
    tokens_of,
)
from numpy.typing import NDArray
from safetensors.torch import save_file

from limpet.core.errors import LimpetError, ModelError
from limpet.state import TrackerState
from limpet.tracking.memory_policies import Bounded, FirstFrame, MemoryPolicy, Official, Ring
from limpet.tracking.tracker import Tracker

Frame = NDArray[np.uint8]
TOKENS = tokens_of()
HEIGHT, WIDTH = 33, 49  # small: these tests take many steps


def tracker_with(policy: MemoryPolicy | str, layers: int = 1) -> Tracker:
    return Tracker(lively_model(small_config(layers)), precision="fp32", memory=policy)


def start(tracker: Tracker, images: list[Frame], objects: int = 2) -> TrackerState:
    return tracker.start(images[0], mask_of(*range(1, objects + 1), height=HEIGHT, width=WIDTH))


def kept(state: TrackerState) -> list[list[int]]:
    return [[frame.index for frame in group.frames] for group in state.groups]


def one_frame(state: TrackerState) -> int:
    """Bytes of one frame's memory in one group."""
    return sum(tensor.nbytes for layer in state.groups[0].short_term for tensor in layer)


@pytest.mark.parametrize(
    "policy", [FirstFrame(), Official(gap=2), Ring(gap=2, max_frames=3), Bounded(gap=1, max_frames=3)]
)
def test_what_is_kept_is_the_memory_of_those_very_frames(policy: MemoryPolicy) -> None:
    tracker, images = tracker_with(policy, layers=2), frames(16, HEIGHT, WIDTH)
    state = start(tracker, images, objects=12)
    seen = {0: [group.short_term for group in state.groups]}
    tokens = state.groups[0].short_term[0].key.shape[1]
    for index, image in enumerate(images[1:], start=1):
        _, state = tracker.step(image, state)
        if index == 6:
            state = tracker.add(image, mask_of(3, 12, 40, height=HEIGHT, width=WIDTH), state)
        seen[index] = [group.short_term for group in state.groups]
        for number, group in enumerate(state.groups):
            for place, known in enumerate(group.frames):
                for layer, memory in enumerate(group.long_term):
                    for tensor, expected in zip(memory, seen[known.index][number][layer], strict=True):
                        assert torch.equal(tensor[:, place * tokens : (place + 1) * tokens], expected)
            assert group.long_term[0].key.shape[1] == len(group.frames) * tokens
    assert all(indices[-1] == 0 and 6 in indices for indices in kept(state))
    assert len(kept(state)[0]) == {"first": 2, "official": 8, "ring": 5, "bounded": 5}[policy.name]


def test_facts_of_the_frames_kept() -> None:
    tracker, images = tracker_with(Official(gap=2)), frames(5)
    state = tracker.start(images[0], mask_of(7, 200))
    for image in images[1:4]:
        _, state = tracker.step(image, state)
        if state.frame_index == 2:
            sure = state.confidence
    new = np.zeros_like(mask_of(9))
    new[30:, 60:] = 9
    once = tracker.add(images[3], new, state)
    newest, middle, first = once.groups[0].frames
    assert (first.index, first.given, first.confidence) == (0, (7, 200), 1.0)
    assert (middle.index, middle.given) == (2, ()) and not middle.is_reference
    assert middle.confidence == pytest.approx((sure[7] + sure[200]) / 2)
    assert (newest.index, newest.given) == (3, (9,)) and newest.is_reference
    key = once.groups[0].long_term[0].key
    assert first.descriptor == pytest.approx(key[0, -TOKENS:].mean(dim=0).tolist(), abs=1e-5)
    twice = tracker.add(images[3], mask_of(200), once)
    assert twice.groups[0].frames[0].given == (9, 200), "given twice in one frame is one reference"
    assert kept(twice) == [[3, 2, 0]]


@pytest.mark.parametrize("name", ["official", "ring", "bounded"])
@pytest.mark.parametrize("objects", [2, 12])
def test_a_budget_is_kept_and_used(name: str, objects: int) -> None:
    images = frames(30, HEIGHT, WIDTH)
    groups = -(-objects // 10)
    unit = one_frame(start(tracker_with("first"), images, objects))
    budget = unit * (groups + 5) + unit // 2 + HEIGHT * WIDTH  # five frames of long-term memory, and a half
    tracker = Tracker(
        lively_model(),
        precision="fp32",
        memory={"official": Official, "ring": Ring, "bounded": Bounded}[name](gap=1, max_bytes=budget),
    )
    state, held = start(tracker, images, objects), []
    for image in images[1:]:
        mask, state = tracker.step(image, state)
        assert state.nbytes <= budget
        held.append(state.nbytes)
    assert len(np.unique(mask)) > 1
    assert len(set(held[10:])) == 1, "constant once it is full"
    assert held[-1] > budget - unit, "and no frame less than fits"
    sizes = [len(indices) for indices in kept(state)]
    assert sum(sizes) == 5 and max(sizes) - min(sizes) <= 1
    assert all(indices[-1] == 0 for indices in kept(state)), "the reference is there to the end"
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors_of(state)}
    assert sum(storages.values()) <= budget, "not only by its own account"


def test_a_budget_too_small_says_the_smallest_that_works() -> None:
    images = frames(8)
    with pytest.raises(
        ModelError, match="too small for one reference and the previous frame of 12 objects"
    ) as error:
        Tracker(lively_model(), memory=Bounded(max_bytes=1000), precision="fp32").start(
            images[0], mask_of(*range(1, 13))
        )
    assert str(error.value).startswith("a memory budget of 0.001 MB is")
    smallest = float(re.search(r"smallest that works is ([0-9.]+) MB$", str(error.value))[1])  # type: ignore[index]
    for budget, works in ((smallest, True), (smallest - 0.01, False)):
        tracker = Tracker(
            lively_model(), memory=Bounded(gap=1, max_bytes=round(budget * 1e6)), precision="fp32"
        )
        if not works:
            with pytest.raises(ModelError, match="smallest that works"):
                tracker.start(images[0], mask_of(*range(1, 13)))
            continue
        state = tracker.start(images[0], mask_of(*range(1, 13)))
        for image in images[1:4]:
            _, state = tracker.step(image, state)
            assert kept(state) == [[0], [0]]
        with pytest.raises(ModelError, match="of 22 objects"):
            tracker.add(images[3], mask_of(*range(101, 111)), state)
        assert kept(state) == [[0], [0]], "and the state is as good as before"


def test_old_states_are_as_they_were_so_that_undo_works() -> None:
    tracker, images = tracker_with(Bounded(gap=1, max_frames=3)), frames(14, HEIGHT, WIDTH)
    state = start(tracker, images)
    history = [state]
    for image in images[1:10]:
        history.append(tracker.step(image, history[-1])[1])
    copies = [state.clone() for state in history]
    onward = [history[-1]]
    for image in images[10:]:
        onward.append(tracker.step(image, onward[-1])[1])
    for before, copy in zip(history, copies, strict=True):
        assert same_state(before, copy)
    again = history[4]
    for image in images[5:]:
        _, again = tracker.step(image, again)
    assert same_state(again, onward[-1])


def test_a_bounded_memory_is_saved_and_goes_on(tmp_path: Path) -> None:
    tracker, images = tracker_with(Bounded(gap=1, max_frames=3), layers=2), frames(14, HEIGHT, WIDTH)
    state = start(tracker, images)
    for image in images[1:8]:
        _, state = tracker.step(image, state)
    state.save(tmp_path / "state")
    resumed = TrackerState.load(tmp_path / "state")
    assert resumed.groups[0].frames == state.groups[0].frames
    for image in images[8:]:
        _, state = tracker.step(image, state)
        _, resumed = tracker.step(image, resumed)
    assert same_state(state, resumed)


def test_a_state_may_go_to_another_policy() -> None:
    images = frames(12, HEIGHT, WIDTH)
    growing = tracker_with(Official(gap=1))
    state = start(growing, images)
    for image in images[1:9]:
        _, state = growing.step(image, state)
    assert len(kept(state)[0]) == 9
    _, small = tracker_with(Ring(gap=1, max_frames=2)).step(images[9], state)
    assert kept(small) == [[9, 8, 0]]
    _, least = tracker_with(FirstFrame()).step(images[9], state)
    assert kept(least) == [[0]]
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors_of(least)}
    assert sum(storages.values()) == least.nbytes, "no view keeps the large memory alive"


def test_a_memory_that_does_not_change_is_not_copied() -> None:
    tracker, images = small_tracker(gap=5), frames(4)
    state = tracker.start(images[0], mask_of(7))
    _, after = tracker.step(images[1], state)
    assert after.groups[0].long_term is state.groups[0].long_term
    assert tracker.memory == Official(gap=5)


def test_states_of_before_are_refused_with_what_to_do(tmp_path: Path) -> None:
    save_file({"mask": torch.zeros(2, 2)}, tmp_path / "old", metadata={"format": "limpet-state-1"})
    with pytest.raises(
        LimpetError, match=r"not a tracker state of this version \(limpet-state-3\); start the tracking again"
    ):
        TrackerState.load(tmp_path / "old")
