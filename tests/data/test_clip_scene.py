"""Crops that keep the objects, cameras over photos and videos, and the layers of a scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from limpet.data.clip_scene import (
    ClipStyle,
    Scene,
    crop_that_keeps,
    photo_view,
    scene_layer,
    scene_layers,
    video_view,
)
from limpet.data.config import ClipConfig
from limpet.data.image_cache import LabelledImage
from limpet.data.layers import CameraView, local_scale
from limpet.data.random_warps import corners, project, translation
from tests.data.conftest import draw_mask

CONFIG = ClipConfig(frames=3, size=65)
STYLE = ClipStyle(energy=1.0, shutter=0.0, crowded=False, attached_object_prob=0.0)


def no_scene() -> None:
    """There is nothing else to cut objects out of."""


def _picture(mask: np.ndarray) -> LabelledImage:
    return LabelledImage(np.repeat(mask[..., None] * 50, 3, 2), mask)


@pytest.mark.parametrize("seed", range(10))
def test_the_crop_keeps_the_object(seed: int) -> None:
    objects = draw_mask(100, 180, [(10, 130, 40, 170)]) > 0
    x, y, side = crop_that_keeps(np.random.default_rng(seed), [objects], (0.6, 1.0), 0.9, tries=50)
    left, top, right, bottom = x - side / 2, y - side / 2, x + side / 2, y + side / 2
    assert left >= -1e-6 and top >= -1e-6 and right <= 180 + 1e-6 and bottom <= 100 + 1e-6
    assert 60 <= side <= 100
    inside = objects[round(top) : round(bottom), round(left) : round(right)].sum() / objects.sum()
    assert inside > 0.8  # 0.9 but for counting every second pixel


def test_the_crop_keeps_the_object_in_the_last_frame_too() -> None:
    first, last = (draw_mask(100, 180, [(30, left, 60, left + 20)]) > 0 for left in (60, 110))
    crops = [crop_that_keeps(np.random.default_rng(s), [first, last], (0.8, 1.0), 0.8, 50) for s in range(8)]
    assert all(x - side / 2 < 66 and x + side / 2 > 124 for x, _, side in crops)


def test_without_an_object_the_crop_is_the_middle() -> None:
    nothing = np.zeros((100, 180), bool)
    assert crop_that_keeps(np.random.default_rng(0), [nothing], (0.5, 1.0), 1.0) == (90.0, 50.0, 100.0)


def test_the_scene_is_cut_to_what_the_camera_sees() -> None:
    mask = draw_mask(200, 300, [(100, 120, 130, 170)])
    view = CameraView(65, np.stack([translation(100.0, 90.0)] * 2))
    layer = scene_layer(view, [_picture(mask)], np.arange(256, dtype=np.uint8), None, 0.0)
    assert layer.masks[0].shape == (69, 69)  # 65 and a margin of 2
    x, y = project(layer.homography[0], np.array([[20.0, 10.0]]))[0].astype(int)
    assert layer.masks[0][y, x] == mask[100, 120] == 1 and layer.masks[0][y - 1, x] == 0


@pytest.mark.parametrize("seed", range(5))
def test_cameras_stay_near_the_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = _picture(draw_mask(120, 160, [(30, 40, 90, 110)]))
    photo = photo_view(rng, Scene((picture,), (1,), "objects"), CONFIG, energy=2.0)
    video = video_view(rng, Scene((picture,) * 3, (1,), "video"), CONFIG)
    for view in (photo, video):
        assert view.size == 65 and view.camera.shape == (3, 3, 3)
        seen = project(view.camera, corners(65, 65))  # (T, 4, 2)
        size = np.array([160, 120])
        assert (seen >= -0.05 * size).all() and (seen <= 1.05 * size).all()


def test_a_video_is_one_layer_with_the_ids_that_were_chosen() -> None:
    picture = _picture(draw_mask(120, 160, [(30, 40, 60, 80), (70, 90, 100, 130)]))
    view = CameraView(65, np.stack([translation(40.0, 20.0)] * 3))
    (layer,) = scene_layers(
        np.random.default_rng(0), Scene((picture,) * 3, (2,), "video"), view, STYLE, CONFIG, no_scene
    )
    assert len(layer.images) == 3 and layer.label is None and layer.bend is None
    assert set(np.unique(layer.masks[0])) <= {0, 2}


def test_objects_are_lifted_out_of_a_photo_but_not_out_of_regions() -> None:
    picture = _picture(draw_mask(120, 160, [(30, 40, 60, 80)]))
    view = CameraView(65, np.stack([translation(40.0, 20.0)] * 3))
    lifted = 0
    for seed in range(20):
        scene = Scene((picture,), (1,), "objects")
        bottom, *above = scene_layers(np.random.default_rng(seed), scene, view, STYLE, CONFIG, no_scene)
        assert bottom.fill_holes == bool(above) and [layer.label for layer in above] == [1] * len(above)
        lifted += bool(above)
        whole = scene_layers(
            np.random.default_rng(seed), Scene((picture,), (1,), "regions"), view, STYLE, CONFIG, no_scene
        )
        assert len(whole) == 1 and not whole[0].fill_holes
    assert 4 < lifted < 18


@pytest.mark.parametrize("kind", ["objects", "video"])
def test_the_camera_zooms_as_far_as_the_pixels_allow(kind: str) -> None:
    picture = _picture(draw_mask(120, 160, [(50, 60, 70, 80)]))
    images = (picture,) * 3 if kind == "video" else (picture,)
    config = replace(CONFIG, max_zoom=5.0)
    zooms = []
    for seed in range(60):
        rng, scene = np.random.default_rng(seed), Scene(images, (1,), kind)
        view = video_view(rng, scene, config) if kind == "video" else photo_view(rng, scene, config, 0.1)
        seen = project(view.camera, corners(65, 65))
        assert (seen >= -0.05 * np.array([160, 120])).all() and (seen <= 1.05 * np.array([160, 120])).all()
        scale = local_scale(view.camera, np.array([32.0, 32.0]))  # pixels of the scene for one of the clip
        assert (scale > 0.25 * 120 / 65).all()
        zooms.append(np.log(scale[0] / scale[-1]))
    assert max(zooms) > 0.6 and min(zooms) < -0.6  # towards the object and away from it
    assert np.mean(np.abs(zooms) < 0.15) > 0.2  # some stay


def test_objects_that_move_far_get_another_background() -> None:
    picture = _picture(draw_mask(120, 160, [(30, 40, 60, 80)]))
    other = LabelledImage(np.full((60, 90, 3), 200, np.uint8), np.ones((60, 90), np.uint8))
    view = CameraView(65, np.stack([translation(40.0, 20.0)] * 3))
    config = replace(CONFIG, max_zoom=3.0)
    replaced = closed = 0
    for seed in range(30):
        bottom, *above = scene_layers(
            np.random.default_rng(seed),
            Scene((picture,), (1,), "objects"),
            view,
            STYLE,
            config,
            lambda: Scene((other,), (1,), "objects"),
        )
        closed += bottom.fill_holes
        if above and not bottom.fill_holes:
            assert bottom.images[0].min() == 200 and not bottom.masks[0].any()
            assert [layer.label for layer in above] == [1]
            replaced += 1
    assert replaced > 8 and closed > 2
