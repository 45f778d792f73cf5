"""Queues and objects are measured for what they are called; tiny frames."""

from __future__ import annotations

import argparse

import mobilevos_speed
from mobilevos_speed import STUDENT, in_torch, object_table, queue_table

from limpet.tracking.memory_policies import Ring

SIZE = (48, 64)


def options(**changes: object) -> argparse.Namespace:
    given = {
        "model": STUDENT,
        "beside": [STUDENT],
        "queues": [1, 2, 4],
        "objects": [1, 3],
        "runtime": "torch",
    }
    return argparse.Namespace(**given | {"frames": 2, "threads": 1, "precision": "fp32"} | changes)


def test_a_longer_queue_keeps_more() -> None:
    found = queue_table(options(), SIZE)
    assert list(found) == [1, 2, 4] and all(times.clock > 0 for times in found.values())
    assert found[4].state_mb > found[2].state_mb
    policy = in_torch(STUDENT, 8).memory
    assert isinstance(policy, Ring) and (policy.gap, policy.max_frames) == (1, 7)


def test_each_model_and_number_of_objects_is_measured() -> None:
    found = object_table(options(), SIZE)
    assert list(found) == [(STUDENT, 1), (STUDENT, 3)]
    assert found[STUDENT, 3].state_mb > found[STUDENT, 1].state_mb


def test_bundles_have_no_queue_of_one(monkeypatch) -> None:
    asked: list[int] = []

    def pretend(name: str, frames: int, *rest: object) -> object:
        asked.append(frames)
        return in_torch(name, frames, precision="fp32")

    monkeypatch.setattr(mobilevos_speed, "as_bundle", pretend)
    assert list(queue_table(options(queues=[1, 2, 4], runtime="onnx"), SIZE)) == asked == [2, 4]
