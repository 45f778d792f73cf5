"""Where cells lie in a picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from limpet.visual.attention.cells import CellGrid

PICTURES = [(65, 97), (100, 50), (5, 7)]


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("picture", PICTURES)
def test_enlarged_as_torch_does_it(picture: tuple[int, int], align_corners: bool) -> None:
    values = np.random.default_rng(0).random((5, 7), np.float32)
    expected = F.interpolate(
        torch.from_numpy(values)[None, None], picture, mode="bilinear", align_corners=align_corners
    )
    found = CellGrid((5, 7), align_corners).enlarge(values, picture)
    # OpenCV weighs in steps of 1/32
    assert np.abs(found - expected[0, 0].numpy()).max() < 0.05


@pytest.mark.parametrize("align_corners", [True, False])
def test_places_and_pixels_are_inverse(align_corners: bool) -> None:
    cells = CellGrid((5, 7), align_corners)
    there = cells.to_pixels(cells.middles(), (200, 300))
    assert np.allclose(cells.to_places(there, (200, 300)), cells.middles(), atol=1e-4)
    numbers = [cells.nearest((x, y), (200, 300)) for x, y in there]
    assert numbers == list(range(35))


def test_aligned_corners_lie_on_the_outer_pixels() -> None:
    cells = CellGrid((5, 7))
    assert cells.to_pixels(np.array([4, 6], np.float32), (65, 97)).tolist() == [96, 64]
    assert CellGrid((5, 7), False).to_pixels(np.zeros(2, np.float32), (80, 112)).tolist() == [7.5, 7.5]


def test_cells_of_an_object_are_those_whose_middle_lies_on_it() -> None:
    mask = np.zeros((65, 97), np.uint8)
    mask[10:40, 0:20] = 4  # middles at rows 16 and 32, columns 0 and 16
    assert CellGrid((5, 7)).of_object(mask, 4).tolist() == [7, 8, 14, 15]


def test_a_tiny_object_has_the_nearest_cell_and_one_that_is_gone_none() -> None:
    mask = np.zeros((65, 97), np.uint8)
    mask[18:22, 34:38] = 4
    assert CellGrid((5, 7)).of_object(mask, 4).tolist() == [7 + 2]
    assert CellGrid((5, 7)).of_object(mask, 5).tolist() == []
