"""Mistakes in remembered masks: whose pixels move, how many masks have one, and that chance is repeatable."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from limpet.training.mistakes import make_mistakes


def masks(count: int) -> Tensor:
    """Two objects that touch, over background: int64 (count, 48, 64)."""
    one = torch.zeros(48, 64, dtype=torch.long)
    one[10:40, 8:32], one[10:40, 32:50] = 1, 2
    return one.repeat(count, 1, 1)


def test_no_share_is_the_same_tensor() -> None:
    given = masks(3)
    assert make_mistakes(given, 0.0) is given


def test_share_of_masks_and_what_is_given_stays() -> None:
    torch.manual_seed(0)
    given = masks(200)
    spoiled = make_mistakes(given, 0.3)
    assert torch.equal(given, masks(200)), "the true masks are still to be learned"
    changed = (spoiled != given).flatten(1).any(1).float().mean().item()
    assert changed == pytest.approx(0.3, abs=0.1)


def test_every_kind_of_mistake_comes_up_and_no_new_id() -> None:
    torch.manual_seed(1)
    given = masks(200)
    spoiled = make_mistakes(given, 1.0)
    assert set(spoiled.unique().tolist()) == {0, 1, 2}
    moved = {
        (int(a), int(b)) for a, b in zip(given[given != spoiled], spoiled[given != spoiled], strict=True)
    }
    assert moved == {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)}


def test_one_piece_of_one_object_each_time() -> None:
    """Pixels go from or to a single object: nothing else of the mask is touched."""
    torch.manual_seed(2)
    given = masks(50)
    for before, after in zip(given, make_mistakes(given, 1.0), strict=True):
        changed = before != after
        lost, won = before[changed].unique().tolist(), after[changed].unique().tolist()
        assert len(lost) <= 1 or len(won) <= 1


def test_chance_is_torchs_own() -> None:
    torch.manual_seed(3)
    first = make_mistakes(masks(5), 0.5)
    torch.manual_seed(3)
    assert torch.equal(first, make_mistakes(masks(5), 0.5))


def test_a_mask_without_objects_stays_empty() -> None:
    assert not make_mistakes(torch.zeros(2, 8, 8, dtype=torch.long), 1.0).any()
