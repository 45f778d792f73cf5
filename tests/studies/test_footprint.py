"""Bytes that are alive at once."""

from __future__ import annotations

import torch
from networks import small_tracker

from limpet.studies.footprint import Tally, footprint


def test_bytes_are_counted_until_they_are_freed() -> None:
    weight = torch.zeros(100)
    with torch.inference_mode(), Tally([weight]) as tally:
        assert tally.now == 400
        one = torch.zeros(1000)
        view = one.view(10, 100)
        del one
        assert tally.now == 4400, "a view keeps its bytes, and has none of its own"
        two = view * weight
        assert tally.now == 8400
        del view
        assert (tally.now, tally.peak) == (4400, 8400)
        del two
    assert (tally.now, tally.peak) == (400, 8400)


def test_it_is_the_same_each_time_and_grows_with_the_frame() -> None:
    tracker = small_tracker()
    first = footprint(tracker, size=(64, 80))
    again = footprint(tracker, size=(64, 80))
    larger = footprint(tracker, size=(96, 160))
    learned = sum(parameter.numel() for parameter in tracker.model.parameters())
    assert first == again
    assert first.parameters == learned and first.peak_mb > 4e-6 * learned
    assert larger.peak_mb > first.peak_mb and larger.parameters == learned
