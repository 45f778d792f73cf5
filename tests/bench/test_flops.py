"""Operations and bytes against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from networks import frames, lively_model, mask_of, small_config, small_tracker

from limpet.bench.flops import counting, nbytes
from limpet.bench.torch_target import count_step
from limpet.tracking.tracker import Tracker

CELLS = 5 * 7
"""Of the feature map of frames of 65 x 97."""
C, A, E, WINDOW = 32, 16, 32, 7 * 7
"""Of the narrow propagation: channels, attention, values, offsets of the short-term window."""


@torch.inference_mode()
def test_products_and_convolutions_by_hand() -> None:
    a, b = torch.ones(3, 4), torch.ones(4, 5)
    image, kernel = torch.ones(1, 6, 8, 8), torch.ones(9, 2, 3, 3)
    with counting() as count:
        a @ b
        assert count.read().tolist() == [2 * 3 * 4 * 5, 4 * (12 + 20 + 15)]
        F.linear(a, b.T, torch.ones(5))
        assert count.flops() == 2 * 120
        F.conv2d(image, kernel, padding=1, groups=3)
    assert count.flops() == 240 + 2 * 64 * 9 * 9 * 2


@torch.inference_mode()
def test_bytes_are_read_and_written_once_and_views_move_none() -> None:
    x = torch.ones(10, 10, dtype=torch.bfloat16)
    with counting() as count:
        view = x.view(100).unsqueeze(0).expand(7, 100)
        assert count.moved() == 0
        assert nbytes(view) == 200
        y = x + 1
        assert count.moved() == 2 * 200
        y.add_(x)  # reads both, writes one
        assert count.moved() == 5 * 200


def test_the_stages_of_a_step_by_hand() -> None:
    tracker = Tracker(lively_model(small_config(encoder="mobilenet-v2")), precision="fp32")
    pictures = frames(2)
    state = tracker.start(pictures[0], mask_of(1, 2))
    stages = count_step(tracker, pictures[1], state).stages
    flops = {name: stages[name][0] for name in stages}
    read = 2 * CELLS * CELLS * (A + 2 * E)  # scores, then values of both branches
    after = 2 * CELLS * (2 * E * 25 + 2 * E * 2 * C)  # 5x5 depth-wise, projection
    assert flops["long-term"] == read + after
    # how many keys are computed and thrown away around the windows is the attention's business
    assert flops["short-term"] > after + 2 * CELLS * A * WINDOW
    assert flops["self"] == read + after + 2 * CELLS * (2 * C * A + 4 * C * E)
    assert flops["projections"] == 2 * CELLS * C * (A + E + E)
    assert flops["remember"] == 2 * CELLS * C * E
    assert flops["id bank"] == 2 * CELLS * 3 * C * 17 * 17  # two objects and the background
    assert flops["labels"] == flops["prepare"] == 0 < stages["labels"][1]
    assert flops["encoder"] > flops["decoder"] > 0


def test_counting_changes_nothing() -> None:
    tracker = small_tracker()
    pictures = frames(3)
    state = tracker.start(pictures[0], mask_of(1, 2))
    before, _ = tracker.step(pictures[1], state)
    first = count_step(tracker, pictures[1], state)
    again = count_step(tracker, pictures[1], state)
    after, _ = tracker.step(pictures[1], state)
    assert np.array_equal(before, after)
    assert first == again
    parts = list(tracker.model.modules())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in parts), "the hooks are removed"


@pytest.mark.parametrize("objects", [1, 2])
def test_more_objects_cost_in_the_id_bank(objects: int) -> None:
    tracker = small_tracker()
    picture = frames(1)[0]
    state = tracker.start(picture, mask_of(*range(1, objects + 1)))
    stages = count_step(tracker, picture, state).stages
    assert stages["id bank"][0] == 2 * CELLS * (objects + 1) * C * 17 * 17


def test_a_propagation_that_is_compiled_is_one_stage() -> None:
    tracker = small_tracker()
    picture = frames(1)[0]
    state = tracker.start(picture, mask_of(1, 2))
    parts, whole = (count_step(tracker, picture, state, inside).stages for inside in (True, False))
    inner = sum(parts[name][0] for name in ("long-term", "short-term", "self", "projections"))
    assert whole["propagation"][0] == inner and "self" not in whole
    assert sum(flops for flops, _ in whole.values()) == sum(flops for flops, _ in parts.values())
