"""Objects that grow, turn, move fast and leave, within the bounds that were set; crops that follow objects."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.data.config import ClipConfig
from limpet.data.layers import local_scale
from limpet.data.random_warps import project
from limpet.data.trajectories import (
    FAST_STEPS,
    excursion,
    fast_path,
    follow,
    has_trajectory,
    moving_crop,
    progress_of_change,
    random_trajectory,
)

SIZE, FRAMES = 97, 5
STILL = np.ones(FRAMES)
PIVOT = (40.0, 50.0)


def zooms(max_zoom: float, side: float, camera_zoom: np.ndarray = STILL) -> np.ndarray:
    """Scales (200, T) of an object that was placed with this side."""
    config = ClipConfig(frames=FRAMES, size=SIZE, max_zoom=max_zoom)
    drawn = [
        random_trajectory(np.random.default_rng(seed), config, PIVOT, (side, side), side, 1.0, camera_zoom)
        for seed in range(200)
    ]
    return np.stack([local_scale(each.change, np.array(PIVOT)) for each in drawn])


def test_a_change_comes_about_little_by_little() -> None:
    taken_back = 0
    for seed in range(100):
        progress = progress_of_change(np.random.default_rng(seed), FRAMES)
        assert progress[0] == 0 and progress.max() == 1 and progress.min() >= 0
        taken_back += progress[-1] < 1
        assert progress[-1] < 1 or (np.diff(progress) > 0).all()
    assert 8 < taken_back < 35


def test_objects_grow_and_shrink_by_up_to_the_maximum_zoom() -> None:
    scale = zooms(4.0, 30.0)
    change = np.log(scale[:, -1] / scale[:, 0]) / np.log(4.0)
    assert change.min() < -0.85 and change.max() > 0.85 and np.abs(change).max() <= 1 + 1e-6
    assert 0.15 < np.mean(change > 0.3) < 0.4 and 0.15 < np.mean(change < -0.3) < 0.4
    assert (30.0 * scale[:, 0] > 15.9).all(), "the first frame shows the object"
    assert (30.0 * scale).max() < 1.5 * SIZE


def test_what_the_camera_enlarges_counts() -> None:
    camera_zoom = np.exp(np.linspace(0, np.log(2.5), FRAMES))
    seen = zooms(4.0, 30.0, camera_zoom) * camera_zoom
    change = np.log(seen[:, -1] / seen[:, 0])
    alone = np.isclose(change, np.log(2.5))  # stands still in the scene, and grows as the scene does
    assert 0.3 < alone.mean() < 0.6
    assert np.abs(change).max() <= np.log(4.0) + np.log(2.5) and change.min() < -0.8


@pytest.mark.parametrize("degrees", [20.0, 180.0])
def test_objects_turn_but_are_never_mirrored(degrees: float) -> None:
    config = ClipConfig(frames=FRAMES, size=SIZE, max_rotation=degrees)
    around = np.array([[0, 0], [10, 0], [0, 20]]) + PIVOT
    angles = []
    for seed in range(100):
        change = random_trajectory(
            np.random.default_rng(seed), config, PIVOT, (20, 40), 25, 1.0, STILL
        ).change
        middle, right, below = project(change, around).swapaxes(0, 1)
        upright = below - middle  # a turn out of the image plane leaves it as long as it is
        assert (np.linalg.det(np.stack([right - middle, upright], -1)) > 0).all()
        assert (np.linalg.norm(upright, axis=1) > 15).all()
        turned = np.rad2deg(np.arctan2(upright[:, 1], upright[:, 0])) - 90
        angles.append(np.abs((turned + 180) % 360 - 180).max())
    assert max(angles) <= degrees + 1e-6 and max(angles) > 0.7 * degrees


def test_fast_objects_stay_in_the_frame() -> None:
    for seed in range(50):
        places = fast_path(np.random.default_rng(seed), FRAMES, PIVOT, SIZE) + PIVOT
        steps = np.linalg.norm(np.diff(places, axis=0), axis=1) / SIZE
        assert (places >= 0).all() and (places <= SIZE).all() and np.allclose(places[0], PIVOT)
        assert (steps <= FAST_STEPS[1] + 1e-9).all() and steps.mean() > 0.12


def test_objects_leave_the_frame_and_most_come_back() -> None:
    back = out = 0
    shifts, reach = np.zeros((FRAMES, 2)), np.full(FRAMES, 12.0)
    for seed in range(200):
        places = np.array(PIVOT) + excursion(np.random.default_rng(seed), PIVOT, shifts, reach, SIZE)
        outside = ((places < -12) | (places > SIZE + 12)).any(1)
        assert np.array_equal(places[0], PIVOT)
        out += bool(outside.any())
        back += np.array_equal(places[-1], PIVOT)
    assert 110 < out < 170 and 130 < back < 170


def test_a_clip_of_two_frames_can_have_all_of_it() -> None:
    config = ClipConfig(
        frames=2, size=SIZE, max_zoom=3, max_rotation=90, fast_motion_prob=1, out_of_view_prob=1
    )
    drawn = random_trajectory(np.random.default_rng(0), config, PIVOT, (20, 20), 14, 1.0, np.ones(2))
    assert drawn.change.shape == (2, 3, 3) and drawn.shifts.shape == (2, 2)
    assert np.isfinite(drawn.change).all() and np.abs(drawn.shifts[1]).max() > 20
    assert has_trajectory(config) and not has_trajectory(ClipConfig())


def test_a_crop_follows_an_object_within_the_frame() -> None:
    objects = [np.zeros((60, 100), bool) for _ in range(4)]
    for t, mask in enumerate(objects[:3]):
        mask[20:30, 10 + 20 * t : 20 + 20 * t] = True
    places, boxes = follow(objects)
    assert places.tolist() == [[29.5, 49.5], [69.5, 49.5], [109.5, 49.5], [109.5, 49.5]]
    assert boxes.tolist() == [[20.0, 20.0]] * 4
    inside = 0
    zoom = np.array([1.0, 1.5, 2.0, 2.5])
    for seed in range(40):
        crops = moving_crop(np.random.default_rng(seed), objects, zoom, (0.9, 1.0), 0.0)
        assert crops.shape == (4, 3)
        np.testing.assert_allclose(crops[0, 2] / crops[:, 2], zoom)
        assert (crops[:, :2] >= crops[:, 2:] / 2).all()
        assert (crops[:, :2] <= np.array([200, 120]) - crops[:, 2:] / 2).all()
        inside += (np.abs(crops[:, :2] - places) <= crops[:, 2:] / 2).all()
    assert inside > 20


def test_a_crop_loses_its_object_for_a_while() -> None:
    mask = np.zeros((60, 300), bool)
    mask[20:40, 140:160] = True
    lost = 0
    for seed in range(40):  # 20 pixels are half of the object
        crops = moving_crop(np.random.default_rng(seed), [mask] * 5, None, (0.5, 0.6), 1.0)
        away = np.abs(crops[:, 0] - 299.5) > crops[:, 2] / 2 + 18
        assert not away[0]
        lost += bool(away.any())
    assert lost > 35
