"""Cut-out objects as layers that move, and the ids of a clip's objects: 1..N whatever they were."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.data.config import ClipConfig
from limpet.data.image_cache import LabelledImage
from limpet.data.layers import (
    CameraView,
    Layer,
    cut_out,
    keep_ids,
    moving_layer,
    random_placement,
    renumber_objects,
)
from limpet.data.random_warps import corners, project, translation
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
        motion_blur=np.zeros((1, 2), np.float32),
    )


def test_a_table_keeps_its_ids_and_no_others() -> None:
    mask = np.array([[0, 3, 7], [255, 3, 9]], np.uint8)
    assert keep_ids([3, 255])[mask].tolist() == [[0, 3, 0], [255, 3, 0]]
    assert not keep_ids([])[mask].any()


@pytest.mark.parametrize("most", [1, 2, 4])
def test_objects_get_the_ids_1_to_n_in_random_order(most: int) -> None:
    scene = np.array([[0, 5, 5, 9]], np.uint8)
    pasted = np.array([[0, 1, 1, 1]], np.uint8)
    orders = set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        first, second, third = renumber_objects(
            rng, [layer(scene, None), layer(pasted, 300), layer(pasted, 0)], most
        )
        background, five, same, nine = first.masks[0][0].tolist()
        assert background == 0 and five == same and third.label == 0
        numbers = [number for number in (five, nine, second.label) if number]
        assert sorted(numbers) == list(range(1, min(most, 3) + 1))
        orders.add(tuple(numbers))
    assert len(orders) > 1 or most == 1


def _picture(mask: np.ndarray) -> LabelledImage:
    return LabelledImage(np.repeat(mask[..., None] * 50, 3, 2), mask)


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
    view = CameraView(65, np.stack([translation(10.0, 5.0), translation(14.0, 5.0)]))
    thing = cut_out([_picture(draw_mask(90, 100, [(20, 30, 50, 60)]))], [1], 50)
    assert thing is not None
    placement = translation(thing.left - 10.0, thing.top - 5.0)
    layer = moving_layer(np.random.default_rng(0), view, thing, placement, energy=0.0, label=1)
    assert layer is not None and layer.bend is None
    shown = project(np.linalg.inv(layer.homography), np.array([[0.0, 0.0]]))[:, 0]
    assert np.allclose(shown, [[thing.left - 10, thing.top - 5], [thing.left - 14, thing.top - 5]])


def test_things_out_of_view_make_no_layer() -> None:
    view = CameraView(65, np.stack([np.eye(3), np.eye(3)]))
    thing = cut_out([_picture(draw_mask(90, 100, [(20, 30, 50, 60)]))], [1], 50)
    assert thing is not None
    assert moving_layer(np.random.default_rng(0), view, thing, translation(400, 0), 0.0, 1) is None


def test_what_moves_fast_goes_far_and_is_blurred() -> None:
    view = CameraView(129, np.stack([np.eye(3)] * 5))
    thing = cut_out([_picture(draw_mask(90, 100, [(20, 30, 50, 60)]))], [1], 50)
    assert thing is not None
    for config, far in ((None, False), (ClipConfig(frames=5, size=129, fast_motion_prob=1.0), True)):
        layers = [
            moving_layer(np.random.default_rng(s), view, thing, translation(50, 50), 0.3, 1, config=config)
            for s in range(20)
        ]
        paths = [
            project(np.linalg.inv(each.homography), np.array([[19.0, 19.0]]))[:, 0] for each in layers if each
        ]
        steps = np.linalg.norm(np.diff(paths, axis=1), axis=-1)
        assert (np.median(steps) > 0.15 * 129) == far
        assert all((np.abs(each.motion_blur).max() > 3) == far for each in layers if each)


def test_a_window_of_one_frame_is_part_of_that_of_all() -> None:
    view = CameraView(129, np.stack([np.eye(3)] * 5))
    thing = cut_out([_picture(draw_mask(90, 100, [(20, 30, 50, 60)]))], [1], 50)
    assert thing is not None
    shifts = np.array([[0, 0], [30, 0], [60, 0], [300, 0], [60, 0]], float)
    whole = moving_layer(np.random.default_rng(0), view, thing, translation(5, 50), 0.0, 1, shifts)
    assert whole is not None
    frames = [whole.of_frame(t, 129) for t in range(5)]
    assert frames[3] is None, "out of view"
    for t, one in enumerate(frames):
        if one is not None:
            (top, left, bottom, right), (up, start, down, end) = one.window, whole.window
            assert up <= top < bottom <= down and start <= left < right <= end and right - left < 60
            assert np.array_equal(one.homography, whole.homography[t : t + 1]) and len(one.motion_blur) == 1


@pytest.mark.parametrize("seed", range(3))
def test_no_part_of_an_object_runs_off_to_infinity(seed: int) -> None:
    mask = np.zeros((90, 300), np.uint8)
    later = mask.copy()
    mask[30:60, 10:30], later[30:60, 260:290] = 1, 1  # a video: the object moves in its cut-out
    view = CameraView(129, np.stack([np.eye(3)] * 5))
    thing = cut_out([_picture(each) for each in (mask, mask, later, later, later)], [1], 50)
    assert thing is not None
    config = ClipConfig(frames=5, size=129, max_zoom=5.0, max_rotation=60.0)
    for order in range(20):
        rng = np.random.default_rng([seed, order])
        layer = moving_layer(rng, view, thing, translation(60, 40), 1.0, 1, config=config)
        if layer is not None:
            far = np.c_[corners(*thing.extent), np.ones(4)]
            depth = far @ np.swapaxes(np.linalg.inv(layer.homography), -1, -2)[..., 2:]
            assert (depth / depth[:, :1] > 0.05).all()
