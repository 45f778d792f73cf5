from __future__ import annotations

import numpy as np
import pytest

from limpet.data.random_warps import (
    BEND_CELLS,
    BEND_POINTS,
    OBJECT,
    corners,
    draw_energy,
    keep_inside,
    pose,
    project,
    random_bend,
    random_motion,
    thin_plate_basis,
    translation,
)


def test_motion_starts_where_it_is_and_grows_with_its_energy() -> None:
    def reached(energy: float) -> np.ndarray:
        rng = np.random.default_rng(3)
        motion = random_motion(rng, 5, OBJECT, energy, (60.0, 40.0), 257, 30.0)
        return project(motion, np.array([[60.0, 40.0], [90.0, 40.0]])) - [[60.0, 40.0], [90.0, 40.0]]

    assert np.allclose(reached(1.0)[0], 0.0)
    assert np.allclose(reached(0.0), 0.0)
    assert np.abs(reached(1.0)[4]).max() > np.abs(reached(0.1)[4]).max() > 0.1


def test_energy_is_mostly_moderate() -> None:
    rng = np.random.default_rng(0)
    energies = np.array([draw_energy(rng) for _ in range(500)])
    assert 0.5 < ((energies > 0.4) & (energies < 1.3)).mean() < 0.75
    assert energies.max() > 1.5 and energies.min() < 0.3


def test_the_spline_reproduces_planes_and_meets_its_corners() -> None:
    axis = np.linspace(0.0, 1.0, BEND_POINTS)
    control = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    axis = np.linspace(0.0, 1.0, BEND_CELLS)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    plane = np.array([0.3, -0.7])
    assert np.allclose(thin_plate_basis() @ (control @ plane + 0.2), grid @ plane + 0.2)
    values = np.random.default_rng(0).standard_normal(BEND_POINTS**2)
    field = (thin_plate_basis() @ values).reshape(BEND_CELLS, BEND_CELLS)
    assert np.allclose(field[[0, 0, -1, -1], [0, -1, 0, -1]], values[[0, 3, 12, 15]])


def test_bends_start_at_zero_and_never_fold() -> None:
    for seed in range(20):
        field = random_bend(np.random.default_rng(seed), 5, OBJECT.bend * 3, 100, 100)
        assert field is not None and field.shape == (5, 2, BEND_CELLS, BEND_CELLS)
        assert np.allclose(field[0], 0.0, atol=1e-5)
        step = 100 / (BEND_CELLS - 1)
        assert np.abs(field[4]).max() > 2.0
        dx = np.diff(field, axis=3)[:, :, 1:] / step
        dy = np.diff(field, axis=2)[:, :, :, 1:] / step
        jacobian = (1 + dx[:, 0]) * (1 + dy[:, 1]) - dx[:, 1] * dy[:, 0]
        assert jacobian.min() > 0.0, seed


def test_no_bend_is_none() -> None:
    assert random_bend(np.random.default_rng(0), 3, 0.0, 50, 50) is None


@pytest.mark.parametrize("zoom", [0.5, 1.5, 6.0])
def test_views_are_kept_inside_the_picture(zoom: float) -> None:
    camera = translation(150.0, -80.0) @ pose(0.2, zoom, 0.0, 0.0, 0.0, 1.0) @ translation(-32.0, -32.0)
    kept = keep_inside(np.stack([camera, camera]), 65, 120, 200)
    seen = project(kept, corners(65, 65))
    assert seen[..., 0].min() >= -0.04 * 199 - 1e-6 and seen[..., 0].max() <= 1.04 * 199 + 1e-6
    assert seen[..., 1].min() >= -0.04 * 119 - 1e-6 and seen[..., 1].max() <= 1.04 * 119 + 1e-6


def test_a_view_that_is_inside_is_left_alone() -> None:
    camera = np.stack([translation(20.0, 30.0)])
    assert np.allclose(keep_inside(camera, 65, 120, 200), camera)
