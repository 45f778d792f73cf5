"""The rules for places of a memory of fixed size keep the frames that the memory policies keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from limpet.memory import LayerMemory, Memory
from limpet.models.fixed_memory import RULES, descriptors, novelty, oldest_of_lowest
from limpet.state import StoredFrame
from limpet.tracking.memory_policies import POLICIES, Frames
from limpet.tracking.memory_policies import novelty as novelty_of_frames

VIDEOS, COUNT, RING, REFERENCES = 8, 40, 3, 2


def memory_of(views: np.ndarray) -> Memory:
    """Memory of one frame with the descriptors (B, A), and keys that are not all the same."""
    key = torch.from_numpy(views).float()[:, None] + torch.tensor([-1.0, 0.0, 1.0])[:, None]  # B 3 A
    return Memory((LayerMemory(key, key),))


def kept_by_rule(
    name: str, views: np.ndarray, confidence: np.ndarray, due: np.ndarray
) -> list[list[set[int]]]:
    """For each video and frame the frames in memory, by number. views (F, B, A), confidence and due (F, B)."""
    rule = RULES[name](REFERENCES, RING)
    state = rule.first(memory_of(views[0]))
    state["memory_mask"] = torch.zeros(VIDEOS, REFERENCES + RING)
    state["memory_mask"][:, 0] = 1
    numbers = torch.zeros(VIDEOS, REFERENCES + RING, dtype=torch.long)
    history: list[list[set[int]]] = [[] for _ in range(VIDEOS)]
    for index in range(1, len(views)):
        sure = torch.from_numpy(confidence[index]).float()[:, None]
        where, facts = rule.next(state, memory_of(views[index]), sure, torch.from_numpy(due[index]))
        assert (where.sum(dim=1) <= 1).all() and facts.keys() == state.keys() - {"memory_mask"}
        state = facts | {"memory_mask": torch.maximum(state["memory_mask"], where.float())}
        numbers = torch.where(where, index, numbers)
        for video in range(VIDEOS):
            history[video].append(set(numbers[video][state["memory_mask"][video] > 0].tolist()))
    return history


def kept_by_policy(name: str, views: np.ndarray, confidence: np.ndarray, due: np.ndarray) -> list[set[int]]:
    """The same of one video by its policy. views (F, A), confidence and due (F,)."""
    policy, history = POLICIES[name](max_frames=RING), []
    kept: Frames = (StoredFrame(0, (1,), 1.0, tuple(views[0])),)
    for index in range(1, len(views)):
        if due[index]:
            kept = policy.keep((StoredFrame(index, (), confidence[index], tuple(views[index])), *kept))
        history.append({frame.index for frame in kept})
    return history


@pytest.mark.parametrize("name", RULES)
def test_the_frames_that_the_policy_keeps(name: str) -> None:
    """Videos of which each comes back to views of its own, with objects that vanish, and frames that are none."""
    chance = np.random.default_rng(0)
    views = chance.integers(0, 3, (COUNT, VIDEOS, 4)).astype(
        float
    )  # many frames alike: values of 0, in any order
    views[:, : VIDEOS // 2] += chance.normal(size=(COUNT, VIDEOS // 2, 4))
    confidence = chance.uniform(0.1, 1, (COUNT, VIDEOS)).round(1) * (
        chance.uniform(size=(COUNT, VIDEOS)) < 0.8
    )
    due = chance.uniform(size=(COUNT, VIDEOS)) < 0.7
    found = kept_by_rule(name, views, confidence, due)
    for video in range(VIDEOS):
        wanted = kept_by_policy(name, views[:, video], confidence[:, video], due[:, video])
        assert found[video] == wanted
    assert len({tuple(map(tuple, map(sorted, history))) for history in found}) == VIDEOS, (
        "each in its own order"
    )


def test_the_order_in_which_frames_go_is_not_that_of_their_age() -> None:
    views = np.array([0.0, 9.0, 4.0, 4.1, 20.0, 20.1, 40.0]).reshape(-1, 1, 1).repeat(VIDEOS, 1)
    sure = np.ones((len(views), VIDEOS))
    due = np.ones((len(views), VIDEOS), bool)
    assert kept_by_rule("bounded", views, sure, due)[0][2:] == [
        {0, 1, 2, 3}, {0, 1, 3, 4}, {0, 1, 3, 5}, {0, 1, 5, 6}
    ]  # fmt: skip


def test_novelty_is_that_of_the_policy() -> None:
    chance = np.random.default_rng(1)
    points = chance.normal(size=(5, 6))
    mask = torch.tensor([[1.0, 0.0, 1.0, 1.0]])
    found = novelty(torch.from_numpy(points[None, 1:]), mask, torch.from_numpy(points[None, :1]))
    counted = [0, 1, 3, 4]
    frames = [StoredFrame(k, (), 1.0, tuple(points[k])) for k in counted]
    assert found[0, [0, 2, 3]].tolist() == pytest.approx(novelty_of_frames(frames)[1:])


def test_a_descriptor_is_the_mean_key_of_the_first_layer_in_float32() -> None:
    key = torch.randn(2, 5, 3, dtype=torch.bfloat16)
    found = descriptors(Memory((LayerMemory(key, key), LayerMemory(-key, key))))
    assert found.dtype == torch.float32 and torch.equal(found[:, 0], key.float().mean(dim=1))


@pytest.mark.parametrize(
    ("value", "age", "place"),
    [((3.0, 1.0, 2.0), (9, 4, 5), 1), ((1.0, 1.0, 1.0), (4, 9, 5), 1), ((0.0, 2.0, 0.0), (1, 9, 3), 2)],
)
def test_the_oldest_of_the_lowest(value: Sequence[float], age: Sequence[int], place: int) -> None:
    found: Tensor = oldest_of_lowest(torch.tensor([value]), torch.tensor([age], dtype=torch.int32))
    assert found[0].nonzero().tolist() == [[place]]
