"""Things that ride on others stay where they are on their bearer, in photos and in videos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from limpet.data.config import ClipConfig
from limpet.data.copy_paste import SIZES, find_carrier, ride
from limpet.data.folders import DavisFolder, StillsFolder
from limpet.data.image_cache import ImageCache, Picture
from limpet.data.layers import CutOut, View, moving_layer, scene_layer
from limpet.data.random_warps import project
from limpet.data.sampling import ClipSampler

SIZE, SIDE = 129, 40


def scene_of(tops: list[int], ids: np.ndarray) -> tuple[Picture, ...]:
    """Pictures with a square of 40 pixels whose top and left are as given."""
    pictures = []
    for top in tops:
        mask = np.zeros((160, 160), np.uint8)
        mask[top : top + SIDE, top : top + SIDE] = 1
        pictures.append(Picture(np.zeros((160, 160, 3), np.uint8), ids[mask]))
    return tuple(pictures)


@pytest.fixture
def thing() -> CutOut:
    return CutOut((np.zeros((28, 28, 3), np.uint8),), (np.pad(np.ones((20, 20), np.uint8), 4),), 0, 0)


def view() -> View:
    """A camera that moves to the right by 5 pixels a frame."""
    camera = np.stack([np.array([[1.0, 0, 5.0 * t], [0, 1, 0], [0, 0, 1]]) for t in range(3)])
    return View(SIZE, camera)


TABLE = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize("tops", [[50], [50, 60, 75]], ids=["photo", "video"])
def test_a_rider_follows_its_bearer(thing: CutOut, tops: list[int]) -> None:
    rng = np.random.default_rng(0)
    scene = scene_layer(view(), scene_of(tops, TABLE), TABLE, None, 0.0)
    bearer = find_carrier(rng, [scene], view())
    assert bearer is not None and bearer.size == pytest.approx(SIDE, rel=0.01)
    placement = ride(rng, bearer, thing)
    assert placement is not None
    rider = moving_layer(rng, bearer.view, thing, placement, 0.0, 7)
    assert rider is not None
    centre, first = np.array([[13.5, 13.5]]), np.zeros(2)
    for t in range(3):
        place = project(np.linalg.inv(rider.homography[t]), centre)[0]
        corner = tops[min(t, len(tops) - 1)] - np.array([5.0 * t, 0.0])  # of the bearer, in the clip
        assert (corner - 1 <= place).all() and (place <= corner + SIDE + 1).all(), f"frame {t}"
        on_bearer = place - corner
        first = on_bearer if t == 0 else first
        np.testing.assert_allclose(on_bearer, first, atol=0.1)


def test_a_rider_is_smaller_than_its_bearer(thing: CutOut) -> None:
    rng = np.random.default_rng(1)
    scene = scene_layer(view(), scene_of([50], TABLE), TABLE, None, 0.0)
    bearer = find_carrier(rng, [scene], view())
    assert bearer is not None
    for _ in range(20):
        placement = ride(rng, bearer, thing)
        if placement is not None:
            side = 20 * np.sqrt(abs(np.linalg.det(placement[:2, :2])))
            assert SIZES[0] * 0.99 <= side / bearer.size <= SIZES[1] * 1.01


def test_nothing_rides_on_nothing_or_on_what_is_tiny(thing: CutOut) -> None:
    rng = np.random.default_rng(2)
    scene = scene_layer(view(), scene_of([50], TABLE), np.zeros(256, np.uint8), None, 0.0)
    assert find_carrier(rng, [scene], view()) is None
    scene = scene_layer(view(), scene_of([50], TABLE), TABLE, None, 0.0)
    bearer = find_carrier(rng, [scene], view())
    assert bearer is not None
    assert ride(rng, replace(bearer, size=12.0), thing) is None


def test_clips_with_riders_have_as_many_objects_and_more_that_touch(
    stills_root: Path, davis_root: Path
) -> None:
    photos, videos = StillsFolder(stills_root).stills, DavisFolder(davis_root, "fit").sequences

    def small(share: float) -> float:
        config = ClipConfig(size=129, crowd_prob=(1.0, 1.0), attached_object_prob=share)
        sampler = ClipSampler(config, photos, videos, ImageCache(480), ImageCache(640))
        layers = [layer for step in range(15) for layer in sampler.sample(step).layers[1:]]
        scales = [np.sqrt(abs(np.linalg.det(layer.homography[0, :2, :2]))) for layer in layers]
        return float(np.median(scales))

    assert small(1.0) > 1.2 * small(0.0), "riders are shrunk more than others"
