"""Clicks for training lie where they say, and masks with errors have some."""

from __future__ import annotations

import numpy as np

from limpet.segment.clicks.simulated_clicks import first_clicks, mask_with_errors
from tests.segment.conftest import photo


def test_clicks_on_the_object_are_on_it_and_the_others_are_not() -> None:
    rng = np.random.default_rng(0)
    counts = []
    for seed in range(40):
        truth = photo(seed)[1]
        clicks, mask = first_clicks(rng, truth, given_mask_prob=0)
        assert clicks[0].positive and not mask.any()
        assert all(truth[int(each.y), int(each.x)] == each.positive for each in clicks)
        counts.append(len(clicks))
    assert min(counts) == 1 and max(counts) > 2


def test_a_click_on_a_mask_with_errors_is_on_an_error() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        truth = photo(seed)[1]
        (click, *rest), mask = first_clicks(rng, truth, given_mask_prob=1)
        if mask.any():
            assert not rest and truth[int(click.y), int(click.x)] == click.positive
            assert (mask[int(click.y), int(click.x)] > 0.5) != click.positive


def test_errors_are_neither_nothing_nor_everything() -> None:
    rng = np.random.default_rng(0)
    ious = []
    for seed in range(30):
        truth = photo(seed)[1]
        mask = mask_with_errors(rng, truth)
        ious.append((mask & truth).sum() / (mask | truth).sum())
    assert 0.4 < np.mean(ious) < 0.95 and min(ious) < 0.8


def test_an_object_that_fills_the_image_gets_no_click_beside_it() -> None:
    truth = np.ones((20, 20), bool)
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert all(each.positive for each in first_clicks(rng, truth, given_mask_prob=0)[0])
