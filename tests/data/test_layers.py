"""Ids of a clip's objects: 1..N whatever they were, in random order."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.data.image_cache import Picture
from limpet.data.layers import (
    Layer,
    View,
    crop_that_keeps,
    cut_out,
    moving_layer,
    random_placement,
    scene_layer,
    table_of,
    with_labels,
)
from limpet.data.random_warps import project, translation
from tests.data.conftest import draw_mask


def layer(mask: np.ndarray, label: int | None) -> Layer:
    """A layer that stands still; only its masks and label count here."""
    return Layer(
        images=(np.zeros((*mask.shape, 3), np.uint8),),
        masks=(mask,),
        homography=np.eye(3)[None],
        bend=None,
        label=label,
        window=(0, 0, *mask.shape),
        colour=None,
        smear=np.zeros((1, 2), np.float32),
    )


def test_a_table_keeps_its_ids_and_no_others() -> None:
    mask = np.array([[0, 3, 7], [255, 3, 9]], np.uint8)
    assert table_of([3, 255])[mask].tolist() == [[0, 3, 0], [255, 3, 0]]
    assert not table_of([])[mask].any()


@pytest.mark.parametrize("most", [1, 2, 4])
def test_objects_get_the_ids_1_to_n_in_random_order(most: int) -> None:
    scene = np.array([[0, 5, 5, 9]], np.uint8)
    pasted = np.array([[0, 1, 1, 1]], np.uint8)
    orders = set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        first, second, third = with_labels(
            rng, [layer(scene, None), layer(pasted, 300), layer(pasted, 0)], most
        )
        background, five, same, nine = first.masks[0][0].tolist()
        assert background == 0 and five == same and third.label == 0
        numbers = [number for number in (five, nine, second.label) if number]
        assert sorted(numbers) == list(range(1, min(most, 3) + 1))
        orders.add(tuple(numbers))
    assert len(orders) > 1 or most == 1


def _picture(mask: np.ndarray) -> Picture:
    return Picture(np.repeat(mask[..., None] * 50, 3, 2), mask)


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


def test_a_cut_out_is_the_object_with_a_margin() -> None:
    picture = _picture(draw_mask(60, 80, [(20, 30, 40, 60), (0, 0, 10, 10)]))
    thing = cut_out([picture], [1], 50)
    assert thing is not None
    assert (thing.left, thing.top, thing.extent) == (26, 16, (28, 38))
    assert thing.masks[0].sum() == 20 * 30 and thing.masks[0].max() == 1
    assert cut_out([picture], [1], 20 * 30 + 1) is None


def test_a_placement_puts_the_middle_of_the_object_where_it_says() -> None:
    thing = cut_out([_picture(draw_mask(60, 80, [(20, 30, 40, 60)]))], [1], 50)
    assert thing is not None
    placement, centre = random_placement(np.random.default_rng(1), thing, 129, 0.5)
    x, y, width, height = thing.box()
    assert (width, height) == (30, 20)
    assert np.allclose(project(placement, np.array([[x, y]]))[0], centre)


def test_things_that_stay_move_with_the_camera() -> None:
    view = View(65, np.stack([translation(10.0, 5.0), translation(14.0, 5.0)]))
    thing = cut_out([_picture(draw_mask(90, 100, [(20, 30, 50, 60)]))], [1], 50)
    assert thing is not None
    placement = translation(thing.left - 10.0, thing.top - 5.0)
    layer = moving_layer(np.random.default_rng(0), view, thing, placement, energy=0.0, label=1)
    assert layer is not None and layer.bend is None
    shown = project(np.linalg.inv(layer.homography), np.array([[0.0, 0.0]]))[:, 0]
    assert np.allclose(shown, [[thing.left - 10, thing.top - 5], [thing.left - 14, thing.top - 5]])


def test_things_out_of_view_make_no_layer() -> None:
    view = View(65, np.stack([np.eye(3), np.eye(3)]))
    thing = cut_out([_picture(draw_mask(90, 100, [(20, 30, 50, 60)]))], [1], 50)
    assert thing is not None
    assert moving_layer(np.random.default_rng(0), view, thing, translation(400, 0), 0.0, 1) is None


def test_the_scene_is_cut_to_what_the_camera_sees() -> None:
    mask = draw_mask(200, 300, [(100, 120, 130, 170)])
    view = View(65, np.stack([translation(100.0, 90.0)] * 2))
    layer = scene_layer(view, [_picture(mask)], np.arange(256, dtype=np.uint8), None, 0.0)
    assert layer.masks[0].shape == (69, 69)  # 65 and a margin of 2
    x, y = project(layer.homography[0], np.array([[20.0, 10.0]]))[0].astype(int)
    assert layer.masks[0][y, x] == mask[100, 120] == 1 and layer.masks[0][y - 1, x] == 0
