"""Augmented reference frames and corrupted masks: pixels keep their ids, objects stay in view, chance is repeatable."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from limpet.training.memory_augmentation import MIN_PIXELS, augment_reference, corrupt_masks


def frames(count: int) -> tuple[Tensor, Tensor]:
    """Images (count, 3, 64, 96) whose colour tells the id, and masks with two objects."""
    mask = torch.zeros(64, 96, dtype=torch.long)
    mask[20:44, 20:40], mask[24:40, 50:70] = 1, 2
    masks = mask.repeat(count, 1, 1)
    return masks[:, None].expand(-1, 3, -1, -1).float() + 1.0, masks


def test_image_and_mask_move_together() -> None:
    torch.manual_seed(0)
    images, masks = augment_reference(*frames(20))
    assert images.shape == (20, 3, 64, 96) and masks.dtype == torch.long
    inside = images[:, 0] > 0.99  # the rest is outside, or between the frame's edge and the outside
    colour = images[:, 0].round().long() - 1
    assert (colour == masks)[inside].float().mean() > 0.97, "but for edges between colours"
    assert not masks[images[:, 0] == 0].any()


def test_every_object_stays_in_view_and_somewhere_else() -> None:
    torch.manual_seed(1)
    _, before = frames(40)
    _, after = augment_reference(*frames(40))
    for number in (1, 2):
        assert ((after == number).flatten(1).sum(1) >= MIN_PIXELS).all()
    assert (after != before).flatten(1).any(1).float().mean() > 0.7


def test_mirrored_half_of_the_time() -> None:
    torch.manual_seed(2)
    _, masks = augment_reference(*frames(100))
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
        moved, ids = augment_reference(image, mask)
        counts = ids.flatten().bincount(minlength=5)
        assert (counts[1:] >= MIN_PIXELS).all()
        assert torch.equal(ids, mask) == torch.equal(moved, image)


def test_chance_is_torchs_own() -> None:
    torch.manual_seed(4)
    first = augment_reference(*frames(3))
    torch.manual_seed(4)
    assert all(torch.equal(a, b) for a, b in zip(first, augment_reference(*frames(3)), strict=True))


def masks(count: int) -> Tensor:
    """Two objects that touch, over background: int64 (count, 48, 64)."""
    one = torch.zeros(48, 64, dtype=torch.long)
    one[10:40, 8:32], one[10:40, 32:50] = 1, 2
    return one.repeat(count, 1, 1)


def test_no_share_is_the_same_tensor() -> None:
    given = masks(3)
    assert corrupt_masks(given, 0.0) is given


def test_share_of_masks_and_what_is_given_stays() -> None:
    torch.manual_seed(0)
    given = masks(200)
    spoiled = corrupt_masks(given, 0.3)
    assert torch.equal(given, masks(200)), "the true masks are still to be learned"
    changed = (spoiled != given).flatten(1).any(1).float().mean().item()
    assert changed == pytest.approx(0.3, abs=0.1)


def test_every_kind_of_mistake_comes_up_and_no_new_id() -> None:
    torch.manual_seed(1)
    given = masks(200)
    spoiled = corrupt_masks(given, 1.0)
    assert set(spoiled.unique().tolist()) == {0, 1, 2}
    moved = {
        (int(a), int(b)) for a, b in zip(given[given != spoiled], spoiled[given != spoiled], strict=True)
    }
    assert moved == {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)}


def test_one_piece_of_one_object_each_time() -> None:
    """Pixels go from or to a single object: nothing else of the mask is touched."""
    torch.manual_seed(2)
    given = masks(50)
    for before, after in zip(given, corrupt_masks(given, 1.0), strict=True):
        changed = before != after
        lost, won = before[changed].unique().tolist(), after[changed].unique().tolist()
        assert len(lost) <= 1 or len(won) <= 1


def test_chance_is_torchs_own_mistakes() -> None:
    torch.manual_seed(3)
    first = corrupt_masks(masks(5), 0.5)
    torch.manual_seed(3)
    assert torch.equal(first, corrupt_masks(masks(5), 0.5))


def test_a_mask_without_objects_stays_empty() -> None:
    assert not corrupt_masks(torch.zeros(2, 8, 8, dtype=torch.long), 1.0).any()
