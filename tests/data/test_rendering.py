from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from limpet.data.clip_scene import scene_layer
from limpet.data.image_cache import LabelledImage
from limpet.data.layers import CameraView, Layer, RawClip, cut_out, moving_layer, random_placement
from limpet.data.photometric import PhotometricParams
from limpet.data.random_warps import CAMERA, project, random_bend, random_motion, translation
from limpet.data.rendering import fill_holes, render, sampling_grid, shrink_factors
from tests.data.conftest import COLOURS, draw_mask

CPU = torch.device("cpu")
NO_CHANGE = PhotometricParams(np.zeros((3, 3, 4), np.float32), 1.0, np.zeros(3, np.float32), 0.0, 0)
SAME = np.arange(256, dtype=np.uint8)


def _picture(mask: np.ndarray) -> LabelledImage:
    return LabelledImage(COLOURS[mask], mask)


def _what_the_colours_say(images: torch.Tensor) -> torch.Tensor:
    """The id whose colour is nearest: (T, 3, H, W) -> (T, H, W)."""
    colours = torch.from_numpy(COLOURS).float() / 255
    return (images.unsqueeze(1) - colours.view(1, -1, 3, 1, 1)).abs().sum(2).argmin(1)


def _agreement(images: torch.Tensor, masks: torch.Tensor) -> float:
    return float((_what_the_colours_say(images) == masks).float().mean())


def test_a_still_view_shows_the_picture_itself() -> None:
    mask = draw_mask(65, 65, [(10, 20, 40, 60)])
    view = CameraView(65, np.stack([np.eye(3)] * 3))
    clip = RawClip(3, 65, (scene_layer(view, [_picture(mask)], SAME, None, 0.0),), NO_CHANGE)
    images, masks = render(clip, CPU)
    assert masks.dtype == torch.int64 and images.shape == (3, 3, 65, 65)
    for t in range(3):
        assert np.array_equal(masks[t].numpy(), mask)
        assert np.allclose(images[t].permute(1, 2, 0).numpy() * 255, COLOURS[mask], atol=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_image_and_mask_move_as_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = _picture(draw_mask(120, 150, [(30, 30, 80, 90)]))
    other = np.zeros((80, 80), np.uint8)
    other[20:60, 15:70] = 3
    motion = random_motion(rng, 3, CAMERA, 2.0, (48, 48), 97, 48)
    view = CameraView(97, translation(20.0, 10.0) @ np.linalg.inv(motion))
    bend = random_bend(rng, 3, 0.04, 120, 150)
    thing = cut_out([_picture(other)], [3], 50)
    assert thing is not None
    placement, _ = random_placement(rng, thing, 97, 0.5)
    placement = (
        translation(48, 48) @ translation(*-project(placement, np.array([thing.box()[:2]]))[0]) @ placement
    )
    layer = moving_layer(rng, view, thing, placement, 1.5, label=3)
    assert layer is not None and layer.bend is not None
    clip = RawClip(3, 97, (scene_layer(view, [scene], SAME, bend, 0.0), layer), NO_CHANGE)
    images, masks = render(clip, CPU)
    assert set(masks[0].unique().tolist()) == {0, 1, 3}
    assert not torch.equal(masks[0], masks[2])
    # between two colours a third may be nearest, so a line of single pixels along the edges is allowed
    assert _agreement(images, masks) > 0.97


def test_the_grid_is_the_homography() -> None:
    rng = np.random.default_rng(0)
    homography = random_motion(rng, 3, CAMERA, 2.0, (30, 30), 65, 30)
    mask = np.zeros((50, 70), np.uint8)
    layer = Layer(
        (COLOURS[mask],), (mask,), homography, None, 1, (5, 8, 45, 60), None, np.zeros((3, 2), np.float32)
    )
    grid = sampling_grid(layer, CPU)
    assert grid.shape == (3, 40, 52, 2)
    expected = project(homography, np.array([[8.0 + 11, 5.0 + 7]]))[:, 0]
    found = (grid[:, 7, 11].numpy() + 1) / 2 * [69, 49]
    assert np.allclose(found, expected, atol=1e-3)


def test_a_bend_moves_by_pixels_of_the_picture() -> None:
    mask = np.zeros((50, 70), np.uint8)
    bend = np.zeros((1, 2, 17, 17), np.float32)
    bend[:, 0] = 3.0
    layer = Layer(
        (COLOURS[mask],),
        (mask,),
        np.eye(3)[None],
        bend,
        1,
        (0, 0, 50, 70),
        None,
        np.zeros((1, 2), np.float32),
    )
    found = (sampling_grid(layer, CPU)[0, 20, 30].numpy() + 1) / 2 * [69, 49]
    assert np.allclose(found, [33.0, 20.0], atol=1e-3)


def test_what_is_pasted_later_hides_what_was_there() -> None:
    view = CameraView(65, np.stack([np.eye(3)] * 2))
    scene = scene_layer(view, [_picture(draw_mask(65, 65, [(0, 0, 65, 65)]))], SAME, None, 0.0)
    things = []
    for number, label in ((2, 2), (3, 0)):
        mask = np.zeros((65, 65), np.uint8)
        mask[20:50, 20:50] = number
        thing = cut_out([_picture(mask)], [number], 50)
        assert thing is not None
        shift = translation(thing.left + 8.0 * (number - 2), float(thing.top))
        layer = moving_layer(np.random.default_rng(0), view, thing, shift, 0.0, label)
        assert layer is not None
        things.append(layer)
    images, masks = render(RawClip(2, 65, (scene, *things), NO_CHANGE), CPU)
    assert masks[0, 30, 10] == 1 and masks[0, 30, 24] == 2
    assert masks[0, 30, 40] == 0  # an object without a label on top
    assert _what_the_colours_say(images)[0, 30, 40] == 3


def test_a_shrunk_object_keeps_its_place() -> None:
    view = CameraView(65, np.stack([np.eye(3)] * 2))
    scene = scene_layer(view, [_picture(np.zeros((65, 65), np.uint8))], SAME, None, 0.0)
    mask = np.zeros((240, 240), np.uint8)
    mask[40:200, 40:200] = 1
    thing = cut_out([_picture(mask)], [1], 50)
    assert thing is not None
    placement = (
        translation(30.0, 34.0) @ np.diag([0.2, 0.2, 1.0]) @ translation(-thing.box()[0], -thing.box()[1])
    )
    layer = moving_layer(np.random.default_rng(0), view, thing, placement, 0.0, 1)
    assert layer is not None
    images, masks = render(RawClip(2, 65, (scene, layer), NO_CHANGE), CPU)
    ys, xs = np.nonzero(masks[0].numpy())
    assert abs(xs.mean() - 30.0) < 0.6 and abs(ys.mean() - 34.0) < 0.6
    assert abs(len(xs) - 32 * 32) < 100  # half a pixel around it
    assert _agreement(images, masks) > 0.95


def test_holes_are_filled_from_around() -> None:
    pixels = torch.rand(1, 3, 64, 80) * 0.1 + torch.tensor([0.2, 0.5, 0.3]).view(1, 3, 1, 1)
    holes = torch.zeros(1, 1, 64, 80)
    holes[..., 20:40, 30:60] = 1
    spoilt = torch.where(holes > 0, torch.ones(()), pixels)
    filled = fill_holes(spoilt, holes)
    assert torch.equal(filled[holes.expand_as(filled) == 0], pixels[holes.expand_as(filled) == 0])
    inside = filled[..., 20:40, 30:60]
    assert (inside.mean((0, 2, 3)) - pixels.mean((0, 2, 3))).abs().max() < 0.03
    assert inside.std(dim=(2, 3)).min() > 0.01  # texture, not a smooth patch


def test_the_mask_of_an_enlarged_object_ends_where_half_of_the_colour_does() -> None:
    view = CameraView(65, np.stack([np.eye(3)] * 2))
    scene = scene_layer(view, [_picture(np.zeros((65, 65), np.uint8))], SAME, None, 0.0)
    thing = cut_out([_picture(draw_mask(40, 40, [(15, 15, 25, 25)]))], [1], 50)
    assert thing is not None
    middle = thing.box()[:2]
    placement = translation(32.0, 32.0) @ np.diag([3.9, 3.9, 1.0]) @ translation(-middle[0], -middle[1])
    layer = moving_layer(np.random.default_rng(0), view, thing, placement, 0.0, 1)
    assert layer is not None
    images, masks = render(RawClip(2, 65, (scene, layer), NO_CHANGE), CPU)
    row = masks[0, 32].nonzero().flatten()
    assert (int(row.min()), int(row.max())) == (
        13,
        51,
    )  # ten pixels at 3.9 each
    half = (images[0, 0, 32] > (COLOURS[0, 0] / 2 + COLOURS[1, 0] / 2) / 255).nonzero().flatten()
    assert torch.equal(half, row)


def test_an_object_that_grows_is_as_sharp_as_one_that_is_large() -> None:
    stripes = np.zeros((80, 80, 3), np.uint8)
    stripes[::2] = 250
    thing = cut_out([LabelledImage(stripes, draw_mask(80, 80, [(5, 5, 75, 75)]))], [1], 50)
    assert thing is not None
    view = CameraView(97, np.stack([np.eye(3)] * 3))
    layer = moving_layer(np.random.default_rng(0), view, thing, np.eye(3), 0.0, 1)
    assert layer is not None
    shrunk = np.stack([np.diag([4.0, 4.0, 1.0]), np.diag([2.0, 2.0, 1.0]), np.eye(3)])
    growing = replace(layer, homography=shrunk)
    assert shrink_factors(layer).tolist() == [1, 1, 1] and shrink_factors(growing).tolist() == [4, 2, 1]
    scene = scene_layer(view, [_picture(np.zeros((97, 97), np.uint8))], SAME, None, 0.0)
    large, grown = (render(RawClip(3, 97, (scene, each), NO_CHANGE), CPU) for each in (layer, growing))
    assert torch.equal(large[0][2], grown[0][2]) and torch.equal(large[1][2], grown[1][2])
    inside = grown[0][0, :, 5:14, 5:14]  # the stripes are grey where they are too fine to be seen
    assert inside.min() > 0.35 and inside.max() < 0.65
