"""Crops with objects; photos to measure with are never among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import DataError
from limpet.data import StillsFolder
from limpet.segment.clicks.click_samples import SMALLEST_SHARE, ClickSamples, held_out


def test_photos_of_one_thing_are_held_out_together(photos: Path) -> None:
    stills = list(StillsFolder(photos))
    for count in range(7):
        names = {each.image.stem for each in held_out(stills, count)}
        assert len(names) <= count
        assert ("icoseg_7_1" in names) == ("icoseg_7_2" in names)
    assert {each.image for each in held_out(stills, 6)} == {each.image for each in stills}


def test_what_is_held_out_depends_on_names_alone(photos: Path) -> None:
    stills = list(StillsFolder(photos))
    assert held_out(stills, 3) == held_out(stills[::-1], 3)


def test_a_crop_shows_its_object(photos: Path) -> None:
    samples = ClickSamples(list(StillsFolder(photos)), [], size=64, video_prob=0.5)
    rng = np.random.default_rng(0)
    mirrored = 0
    for _ in range(20):
        crop, inside = samples.draw(rng)
        assert crop.shape == (64, 64, 3) and crop.dtype == np.uint8 and inside.shape == (64, 64)
        assert SMALLEST_SHARE <= inside.mean() <= 0.95
        on, beside = crop[inside].mean(), crop[~inside].mean()
        assert on > beside + 30, "the mask lies on the bright object"
        mirrored += int(inside[:, :32].sum() > inside[:, 32:].sum())
    assert 0 < mirrored < 20


def test_the_same_seed_draws_the_same(photos: Path) -> None:
    samples = ClickSamples(list(StillsFolder(photos)), [], size=64, video_prob=0)
    first, second = (samples.draw(np.random.default_rng(5)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(DataError, match="nothing to learn clicks from"):
        ClickSamples([], [], 64, 0.5)
