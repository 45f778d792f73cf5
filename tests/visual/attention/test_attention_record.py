"""Where cells lie in a picture, and the numbers that are drawn, against slow loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from limpet.models.deformable import sample_tokens
from limpet.visual.attention.attention_record import (
    AttentionRecord,
    CellGrid,
    choose_query,
    key_points,
    mean_attention,
    similarity,
    splat_to_cells,
    strongest_keys,
)

from .scenes import CELLS, deformed, plain

PICTURES = [(65, 97), (100, 50), (5, 7)]
QUERIES = np.array([3, 8, 20])


def test_mean_attention_is_the_mean_over_the_queries() -> None:
    record = plain((1,), (5, 0))
    given = mean_attention(record, QUERIES)
    for frame, key in ((0, 4), (1, 30)):
        expected = sum(record.weights[query, frame, key] for query in QUERIES) / 3
        assert given[frame, key] == pytest.approx(expected, rel=1e-5)
    assert given.sum() == pytest.approx(1, rel=1e-5)


def test_a_plain_models_keys_are_the_cells() -> None:
    record = plain((1,), (5, 0))
    given = mean_attention(record, QUERIES)
    assert np.array_equal(splat_to_cells(record, given), given.reshape(2, 5, 7))


def test_values_of_a_coarser_grid_are_interpolated_between_its_cells() -> None:
    plane = np.arange(12, dtype=np.float32).reshape(3, 4)
    keys = CellGrid((3, 4)).centres()[None] * 2
    record = AttentionRecord((1,), CELLS, (0,), np.zeros((35, 1, 12), np.float32), keys, None, key_stride=2)
    found = splat_to_cells(record, plane.reshape(1, 12))
    assert found.shape == (1, 5, 7)
    assert np.array_equal(found[0, ::2, ::2], plane)
    assert found[0, 1, 1] == plane[:2, :2].mean() and found[0, 0, 1] == plane[0, :2].mean()


def test_values_are_added_where_keys_were_sampled() -> None:
    """Splatting is the transpose of sampling: for any map, what is sampled from it is what lies on it."""
    record = deformed((1,), (5, 0))
    given = mean_attention(record, QUERIES)
    some_map = torch.rand(1, 35, 2)  # a channel a group
    read = sample_tokens(some_map, torch.from_numpy(record.sampling_locations)[None], (5, 7))[0]  # n 2
    splatted = splat_to_cells(record, given)
    assert splatted.sum() == pytest.approx(given.sum(), rel=1e-5)
    one_map = some_map[..., :1].repeat(1, 1, 2)  # the same in both groups
    read = (
        sample_tokens(one_map, torch.from_numpy(record.sampling_locations)[None], (5, 7))[0]
        .mean(dim=1)
        .numpy()
    )
    for frame in (0, 1):
        on_map = float((splatted[frame].ravel() * one_map[0, :, 0].numpy()).sum())
        assert on_map == pytest.approx(float((given[frame] * read).sum()), rel=1e-4)


def test_key_points_are_above_their_share_of_the_largest_in_any_frame() -> None:
    values = np.array([[0.1, 0.85, 0.86], [1.0, 0.2, 0.9]], np.float32)
    assert key_points(values).tolist() == [[False, False, True], [True, False, True]]


def test_the_strongest_keys() -> None:
    values = np.array([[0.1, 0.3], [0.2, 0.3]], np.float32)
    assert strongest_keys(values, 3).tolist() == [[False, True], [True, True]]
    assert strongest_keys(values, 200).all()


def test_similarity_gives_back_what_softmax_was_taken_of() -> None:
    scores = np.array([[3.0, -1.0, 0.5, 2.0]], np.float32)
    values = np.exp(scores) / np.exp(scores).sum()
    chosen = strongest_keys(values, 3)
    expected = (scores - 0.5) / 2.5
    assert np.allclose(similarity(values, chosen), expected, atol=1e-5)


def test_equal_keys_and_keys_without_attention_have_a_similarity() -> None:
    assert np.isfinite(similarity(np.full((1, 4), 0.25, np.float32), np.ones((1, 4), bool))).all()
    assert np.isfinite(similarity(np.array([[1, 0]], np.float32), np.ones((1, 2), bool))).all()


def test_the_query_is_the_one_that_gives_the_key_points_most() -> None:
    record = plain((1,))
    points = key_points(mean_attention(record, QUERIES))
    given = {query: record.weights[query][points].sum() for query in QUERIES.tolist()}
    assert choose_query(record, QUERIES) == max(given, key=lambda query: given[query])


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
def test_locations_and_pixels_are_inverse(align_corners: bool) -> None:
    cells = CellGrid((5, 7), align_corners)
    there = cells.to_pixels(cells.centres(), (200, 300))
    assert np.allclose(cells.to_locations(there, (200, 300)), cells.centres(), atol=1e-4)
    numbers = [cells.nearest((x, y), (200, 300)) for x, y in there]
    assert numbers == list(range(35))


def test_aligned_corners_lie_on_the_outer_pixels() -> None:
    cells = CellGrid((5, 7))
    assert cells.to_pixels(np.array([4, 6], np.float32), (65, 97)).tolist() == [96, 64]
    assert CellGrid((5, 7), False).to_pixels(np.zeros(2, np.float32), (80, 112)).tolist() == [7.5, 7.5]


def test_cells_of_an_object_are_those_whose_centre_lies_on_it() -> None:
    mask = np.zeros((65, 97), np.uint8)
    mask[10:40, 0:20] = 4  # centres at rows 16 and 32, columns 0 and 16
    assert CellGrid((5, 7)).of_object(mask, 4).tolist() == [7, 8, 14, 15]


def test_a_tiny_object_has_the_nearest_cell_and_one_that_is_gone_none() -> None:
    mask = np.zeros((65, 97), np.uint8)
    mask[18:22, 34:38] = 4
    assert CellGrid((5, 7)).of_object(mask, 4).tolist() == [7 + 2]
    assert CellGrid((5, 7)).of_object(mask, 5).tolist() == []
