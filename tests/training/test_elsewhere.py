"""The reference frame shown elsewhere: pixels keep their ids, objects stay in view, chance is repeatable."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from limpet.training.elsewhere import LEAST_PIXELS, show_elsewhere


def frames(count: int) -> tuple[Tensor, Tensor]:
    """Images (count, 3, 64, 96) whose colour tells the id, and masks with two objects."""
    mask = torch.zeros(64, 96, dtype=torch.long)
    mask[20:44, 20:40], mask[24:40, 50:70] = 1, 2
    masks = mask.repeat(count, 1, 1)
    return masks[:, None].expand(-1, 3, -1, -1).float() + 1.0, masks


def test_image_and_mask_move_together() -> None:
    torch.manual_seed(0)
    images, masks = show_elsewhere(*frames(20))
    assert images.shape == (20, 3, 64, 96) and masks.dtype == torch.long
    inside = images[:, 0] > 0.99  # the rest is outside, or between the frame's edge and the outside
    colour = images[:, 0].round().long() - 1
    assert (colour == masks)[inside].float().mean() > 0.97, "but for edges between colours"
    assert not masks[images[:, 0] == 0].any()


def test_every_object_stays_in_view_and_somewhere_else() -> None:
    torch.manual_seed(1)
    _, before = frames(40)
    _, after = show_elsewhere(*frames(40))
    for number in (1, 2):
        assert ((after == number).flatten(1).sum(1) >= LEAST_PIXELS).all()
    assert (after != before).flatten(1).any(1).float().mean() > 0.7


def test_mirrored_half_of_the_time() -> None:
    torch.manual_seed(2)
    _, masks = show_elsewhere(*frames(100))
    columns = torch.arange(96.0)

    def middle(number: int) -> Tensor:
        planes = (masks == number).float()
        return (planes * columns).sum((1, 2)) / planes.sum((1, 2))

    assert (middle(1) > middle(2)).float().mean().item() == pytest.approx(0.5, abs=0.15)


def test_a_frame_whose_objects_would_leave_stays_as_it_is() -> None:
    """Four objects in the corners: hardly any map keeps them all."""
    torch.manual_seed(3)
    mask = torch.zeros(1, 64, 96, dtype=torch.long)
    mask[0, :8, :8], mask[0, :8, -8:], mask[0, -8:, :8], mask[0, -8:, -8:] = 1, 2, 3, 4
    image = torch.rand(1, 3, 64, 96)
    for _ in range(30):
        moved, ids = show_elsewhere(image, mask)
        counts = ids.flatten().bincount(minlength=5)
        assert (counts[1:] >= LEAST_PIXELS).all()
        assert torch.equal(ids, mask) == torch.equal(moved, image)


def test_chance_is_torchs_own() -> None:
    torch.manual_seed(4)
    first = show_elsewhere(*frames(3))
    torch.manual_seed(4)
    assert all(torch.equal(a, b) for a, b in zip(first, show_elsewhere(*frames(3)), strict=True))
