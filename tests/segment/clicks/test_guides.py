"""Where a person clicks next, and how the network is shown it."""

from __future__ import annotations

import numpy as np

from limpet.segment.clicks.guides import RADIUS, draw_guides, next_click
from limpet.segment.segmenter import Click


def region(*box: int) -> np.ndarray:
    found = np.zeros((40, 50), bool)
    found[box[0] : box[1], box[2] : box[3]] = True
    return found


def test_a_click_is_a_disk_in_the_map_of_its_kind() -> None:
    mask = np.full((40, 50), 0.25, np.float32)
    guides = draw_guides([Click(10, 20), Click(30, 5, positive=False)], (40, 50), mask)
    assert guides.shape == (3, 40, 50) and guides.dtype == np.float32
    y, x = np.mgrid[:40, :50]
    for channel, (cx, cy) in zip(guides, [(10, 20), (30, 5)], strict=False):
        distance = np.hypot(x - cx, y - cy)
        assert channel[distance <= RADIUS - 1].all() and not channel[distance > RADIUS + 1].any()
    assert (guides[2] == 0.25).all()


def test_without_a_mask_the_third_map_is_empty() -> None:
    assert not draw_guides([], (40, 50)).any()


def test_the_next_click_is_in_the_middle_of_the_largest_error() -> None:
    truth = region(10, 31, 10, 41)
    assert next_click(np.zeros_like(truth), truth) in (Click(x, 20) for x in range(20, 31))
    surplus = truth | region(0, 8, 0, 8)
    wrong = next_click(surplus, truth)
    assert wrong is not None and not wrong.positive and wrong.x < 8 and wrong.y < 8
    assert next_click(truth, truth) is None


def test_an_error_at_the_border_is_clicked_in_its_middle_too() -> None:
    everything = np.ones((41, 41), bool)
    assert next_click(~everything, everything) == Click(20, 20)


def test_people_click_somewhere_in_the_inner_half() -> None:
    truth = region(10, 31, 10, 31)
    rng = np.random.default_rng(0)
    clicks = {next_click(np.zeros_like(truth), truth, rng) for _ in range(50)}
    assert len(clicks) > 10
    assert all(each is not None and abs(each.x - 20) <= 5.5 and abs(each.y - 20) <= 5.5 for each in clicks)
