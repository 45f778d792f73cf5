"""The slots of the identity bank that objects get in training."""

from __future__ import annotations

import pytest
import torch

from limpet.training.slots import slot_permutation, slots_in_use


def test_a_full_shuffle_keeps_the_background_and_reaches_every_slot() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([slot_permutation(10, 10, generator) for _ in range(300)])
    assert drawn.dtype == torch.int64 and drawn.shape == (300, 11)
    assert (drawn[:, 0] == 0).all()
    assert (drawn.sort(dim=1).values == torch.arange(11)).all(), "every slot once"
    assert all(len(drawn[:, k].unique()) == 10 for k in range(1, 11)), "every id can reach every slot"
    again = slot_permutation(10, 10, torch.Generator().manual_seed(0))
    assert torch.equal(again, drawn[0])


def test_a_narrow_shuffle_leaves_the_other_slots_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([slot_permutation(10, 4, generator) for _ in range(100)])
    assert torch.equal(drawn[:, 5:], torch.arange(5, 11).expand(100, -1))
    assert all(len(drawn[:, k].unique()) == 4 for k in range(1, 5))


def test_nothing_in_use_leaves_every_object_in_its_own_slot() -> None:
    assert torch.equal(slot_permutation(10, 0), torch.arange(11))


@pytest.mark.parametrize(
    ("progress", "expected"), [(0.0, 0), (0.29, 0), (0.3, 3), (0.4, 5), (0.59, 10), (0.6, 10), (1.0, 10)]
)
def test_the_slots_in_use_widen_from_the_objects_to_all(progress: float, expected: int) -> None:
    assert slots_in_use(progress, fixed_until=0.3, all_from=0.6, objects=3, slots=10) == expected


def test_by_default_all_slots_are_in_use_from_the_first_step() -> None:
    assert slots_in_use(0.0, fixed_until=0.0, all_from=0.0, objects=2, slots=10) == 10
