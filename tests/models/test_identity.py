"""The identity bank: what slots that hold nothing may leave out, and where a pixel counts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from limpet.models.identity import IdBank, one_hot


@pytest.mark.parametrize("align_corners", [True, False])
def test_absent_slots_may_be_left_out(align_corners: bool) -> None:
    bank = IdBank(10, 32, align_corners).requires_grad_(False)
    size = (65, 97) if align_corners else (64, 96)
    masks = torch.randint(0, 4, (2, *size))
    every_slot = F.conv2d(
        one_hot(masks, 11), bank.patches.weight, bank.patches.bias, 16, 8 if align_corners else 0
    )
    expected = bank.norm(every_slot.flatten(2).transpose(1, 2))
    torch.testing.assert_close(bank(one_hot(masks, 4)), expected, atol=1e-5, rtol=1e-5)


def test_an_embedding_is_the_sum_of_the_patch() -> None:
    bank = IdBank(2, 8, align_corners=False).requires_grad_(False)
    masks = torch.randint(0, 3, (1, 32, 16))
    weight, total = bank.patches.weight, bank.patches.bias.clone()  # C S 16 16
    for i in range(16):
        for j in range(16):
            total += weight[:, masks[0, 16 + i, j], i, j]  # of the lower of the two cells
    torch.testing.assert_close(bank(one_hot(masks, 3))[0, 1], bank.norm(total), atol=1e-5, rtol=1e-5)


def test_one_hot_has_background_as_a_slot() -> None:
    planes = one_hot(torch.tensor([[[0, 2], [1, 0]]]), 3, torch.bfloat16)
    assert planes.dtype == torch.bfloat16
    assert planes.tolist() == [[[[1, 0], [0, 1]], [[0, 0], [1, 0]], [[0, 1], [0, 0]]]]
