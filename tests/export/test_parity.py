"""Two trackers side by side: what the comparison counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limpet.core.errors import VideoError, WeightsError
from limpet.export.parity import compare, reference_tracker
from limpet.runtime.manifest import GraphSpec, Manifest

FRAMES = [np.zeros((4, 6, 3), np.uint8)] * 4
FIRST = np.array([[1, 1, 0, 0, 2, 2]] * 4, np.uint8)
GRAPH = GraphSpec("step.onnx", (), ())
MANIFEST = Manifest(
    "onnx", "fp32", "deaot-nano", "0" * 64, (4, 6), (17, 17), True, 480, 1040, (0.0,) * 3, (1.0,) * 3, 10, 1, 0, 5,
    GRAPH, GRAPH, "0",
)  # fmt: skip


class Scripted:
    """Gives the first mask, but for those frames that it was told other ones for."""

    def __init__(self, others: dict[int, np.ndarray] | None = None) -> None:
        self.others = others or {}

    def start(self, frame: np.ndarray, mask: np.ndarray) -> int:
        return 0

    def step(self, frame: np.ndarray, state: int) -> tuple[np.ndarray, int]:
        return self.others.get(state + 1, FIRST), state + 1


def test_equal_trackers() -> None:
    seen: list[int] = []
    found = compare(Scripted(), Scripted(), FRAMES, FIRST, seen.append)
    assert found.ious == (1.0, 1.0, 1.0) and found.first_difference is None and seen == [1, 2, 3]
    assert "no pixel differs" in found.sentence()


def test_the_worst_frame_and_the_first_that_differs() -> None:
    slightly, much = FIRST.copy(), FIRST.copy()
    slightly[0, 0] = 0
    much[:, 4:] = 0
    found = compare(Scripted(), Scripted({2: slightly, 3: much}), FRAMES, FIRST)
    assert found.ious == pytest.approx((1.0, (7 / 8 + 1) / 2, 0.5))
    assert found.first_difference == 2 and found.worst == (3, 0.5)
    assert found.mean == pytest.approx(np.mean(found.ious))


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_frames(count: int) -> None:
    tracker: Any = Scripted()
    with pytest.raises(VideoError):
        compare(tracker, tracker, FRAMES[:count], FIRST)


def test_other_weights_than_the_bundles() -> None:
    with pytest.raises(WeightsError, match="made from other weights of deaot-nano"):
        reference_tracker(MANIFEST)


@pytest.mark.parametrize("memory", ["ring", "bounded"])
def test_a_policy_is_compared_with_itself(memory: str) -> None:
    sha = reference_sha()
    tracker = reference_tracker(replace(MANIFEST, weights_sha256=sha, ring=3, gap=4, memory=memory))
    assert (tracker.memory.name, tracker.memory.gap, tracker.memory.max_frames) == (memory, 4, 3)


def reference_sha() -> str:
    from limpet.weights.weights_file import sha256
    from limpet.weights.zoo import find_weights

    return sha256(Path(find_weights("deaot-nano", None)))
