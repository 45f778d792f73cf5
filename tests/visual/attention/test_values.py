"""What is drawn, as numbers, against slow loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from limpet.models.deformable import sample_tokens
from limpet.visual.attention.values import (
    attention_given,
    choose_query,
    key_points,
    over_cells,
    similarity,
    strongest_keys,
)

from .scenes import deformed, plain

QUERIES = np.array([3, 8, 20])


def test_attention_given_is_the_mean_over_the_queries() -> None:
    seen = plain((1,), (5, 0))
    given = attention_given(seen, QUERIES)
    for frame, key in ((0, 4), (1, 30)):
        expected = sum(seen.weights[query, frame, key] for query in QUERIES) / 3
        assert given[frame, key] == pytest.approx(expected, rel=1e-5)
    assert given.sum() == pytest.approx(1, rel=1e-5)


def test_a_plain_models_keys_are_the_cells() -> None:
    seen = plain((1,), (5, 0))
    given = attention_given(seen, QUERIES)
    assert np.array_equal(over_cells(seen, given), given.reshape(2, 5, 7))


def test_values_are_laid_where_keys_were_read_from() -> None:
    """Laying is the transpose of reading: for any map, what is read of it is what lies on it."""
    seen = deformed((1,), (5, 0))
    given = attention_given(seen, QUERIES)
    some_map = torch.rand(1, 35, 2)  # a channel a group
    read = sample_tokens(some_map, torch.from_numpy(seen.places)[None], (5, 7))[0]  # n 2
    laid = over_cells(seen, given)
    assert laid.sum() == pytest.approx(given.sum(), rel=1e-5)
    one_map = some_map[..., :1].repeat(1, 1, 2)  # the same in both groups
    read = sample_tokens(one_map, torch.from_numpy(seen.places)[None], (5, 7))[0].mean(dim=1).numpy()
    for frame in (0, 1):
        on_map = float((laid[frame].ravel() * one_map[0, :, 0].numpy()).sum())
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
    seen = plain((1,))
    points = key_points(attention_given(seen, QUERIES))
    given = {query: seen.weights[query][points].sum() for query in QUERIES.tolist()}
    assert choose_query(seen, QUERIES) == max(given, key=lambda query: given[query])
