"""Which frames a model is shown for each length of the queue."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from models.per_object import PerObject, PerObjectConfig, lively_per_object
from networks import frames, mask_of

from limpet.studies.arms import Queue
from limpet.studies.queue import tracker_with_queue

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        (None, ["first", "first and previous"]),
        ("first and previous", ["first", "first and previous"]),
        ("first", ["first", "first"]),
        ("previous", ["first", "previous"]),
    ],
)
def test_what_the_model_is_shown(
    queue: Queue | None, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second frame the first is the previous one."""
    seen: list[tuple[bool, bool]] = []
    first: list[Any] = []
    propagate = PerObject.propagate

    def watched(self: PerObject, features: Any, long_term: Any, short_term: Any, *rest: Any) -> Any:
        if not first:
            first.append(long_term[0].value)
        seen.append(tuple(torch.equal(memory[0].value, first[0]) for memory in (long_term, short_term)))  # type: ignore[arg-type]
        return propagate(self, features, long_term, short_term, *rest)

    monkeypatch.setattr(PerObject, "propagate", watched)
    tracker = tracker_with_queue(lively_per_object(PerObjectConfig()), queue, CPU, precision="fp32")
    state, video = tracker.start(frames(1)[0], mask_of(1, 2)), frames(3, seed=1)
    for frame in video[:2]:
        _, state = tracker.step(frame, state)
    words = {(True, True): "first", (True, False): "first and previous", (False, False): "previous"}
    assert [words[pair] for pair in seen] == expected


def test_without_a_bound_every_fifth_frame_is_kept() -> None:
    model = lively_per_object(PerObjectConfig())
    tracker = tracker_with_queue(model, "unbounded", CPU, precision="fp32", max_size=64)
    state = tracker.start(frames(1)[0], mask_of(1))
    for frame in frames(11, seed=1):
        mask, state = tracker.step(frame, state)
    assert isinstance(mask, np.ndarray)
    assert sorted(each.index for each in state.groups[0].frames) == [0, 5, 10]
