"""Things that attach on others stay where they are on their carrier, in photos and in videos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from limpet.data import ClipConfig, StillsFolder, training_videos
from limpet.data.clip_scene import scene_layer
from limpet.data.copy_paste import ATTACHED_SIZES, attach, find_carrier
from limpet.data.image_cache import ImageCache, LabelledImage
from limpet.data.layers import CameraView, CutOut, moving_layer
from limpet.data.random_warps import project
from limpet.data.sampling import ClipSampler

SIZE, SIDE = 129, 40


def scene_of(tops: list[int], ids: np.ndarray) -> tuple[LabelledImage, ...]:
    """Images with a square of 40 pixels whose top and left are as given."""
    pictures = []
    for top in tops:
        mask = np.zeros((160, 160), np.uint8)
        mask[top : top + SIDE, top : top + SIDE] = 1
        pictures.append(LabelledImage(np.zeros((160, 160, 3), np.uint8), ids[mask]))
    return tuple(pictures)


@pytest.fixture
def thing() -> CutOut:
    return CutOut((np.zeros((28, 28, 3), np.uint8),), (np.pad(np.ones((20, 20), np.uint8), 4),), 0, 0)


def view() -> CameraView:
    """A camera that moves to the right by 5 pixels per frame."""
    camera = np.stack([np.array([[1.0, 0, 5.0 * t], [0, 1, 0], [0, 0, 1]]) for t in range(3)])
    return CameraView(SIZE, camera)


TABLE = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize("tops", [[50], [50, 60, 75]], ids=["photo", "video"])
def test_an_attached_object_follows_its_carrier(thing: CutOut, tops: list[int]) -> None:
    rng = np.random.default_rng(0)
    scene = scene_layer(view(), scene_of(tops, TABLE), TABLE, None, 0.0)
    carrier = find_carrier(rng, [scene], view())
    assert carrier is not None and carrier.size == pytest.approx(SIDE, rel=0.01)
    placement = attach(rng, carrier, thing)
    assert placement is not None
    attached = moving_layer(rng, carrier.view, thing, placement, 0.0, 7)
    assert attached is not None
    centre, first = np.array([[13.5, 13.5]]), np.zeros(2)
    for t in range(3):
        place = project(np.linalg.inv(attached.homography[t]), centre)[0]
        corner = tops[min(t, len(tops) - 1)] - np.array([5.0 * t, 0.0])  # of the carrier, in the clip
        assert (corner - 1 <= place).all() and (place <= corner + SIDE + 1).all(), f"frame {t}"
        on_carrier = place - corner
        first = on_carrier if t == 0 else first
        np.testing.assert_allclose(on_carrier, first, atol=0.1)


def test_an_attached_object_is_smaller_than_its_carrier(thing: CutOut) -> None:
    rng = np.random.default_rng(1)
    scene = scene_layer(view(), scene_of([50], TABLE), TABLE, None, 0.0)
    carrier = find_carrier(rng, [scene], view())
    assert carrier is not None
    for _ in range(20):
        placement = attach(rng, carrier, thing)
        if placement is not None:
            side = 20 * np.sqrt(abs(np.linalg.det(placement[:2, :2])))
            assert ATTACHED_SIZES[0] * 0.99 <= side / carrier.size <= ATTACHED_SIZES[1] * 1.01


def test_nothing_is_attached_to_nothing_or_to_what_is_tiny(thing: CutOut) -> None:
    rng = np.random.default_rng(2)
    scene = scene_layer(view(), scene_of([50], TABLE), np.zeros(256, np.uint8), None, 0.0)
    assert find_carrier(rng, [scene], view()) is None
    scene = scene_layer(view(), scene_of([50], TABLE), TABLE, None, 0.0)
    carrier = find_carrier(rng, [scene], view())
    assert carrier is not None
    assert attach(rng, replace(carrier, size=12.0), thing) is None


def test_attached_objects_are_smaller_than_free_ones(stills_root: Path, davis_root: Path) -> None:
    photos, videos = StillsFolder(stills_root).stills, [training_videos(davis_root, "fit")]

    def small(prob: float) -> float:
        config = ClipConfig(frames=3, size=129, crowd_prob=(1.0, 1.0), attached_object_prob=prob)
        sampler = ClipSampler(config, photos, videos, ImageCache(480), ImageCache(640))
        layers = [layer for step in range(15) for layer in sampler.sample(step).layers[1:]]
        scales = [np.sqrt(abs(np.linalg.det(layer.homography[0, :2, :2]))) for layer in layers]
        return float(np.median(scales))

    assert small(1.0) > 1.2 * small(0.0), "attached objects are shrunk more than others"
