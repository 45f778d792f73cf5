"""The pictures of models that follow motion: colours of flow, places of a query, maps of both grids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from limpet.visual.attention.motion_pictures import PANELS, draw_flow, draw_sampling, draw_scales
from limpet.visual.attention.panels import LIGHT, panel_size
from limpet.visual.attention.pictures import GROUP_COLOURS, STAR_COLOUR
from limpet.visual.overlay import object_colour

from .scenes import CELLS, SIZE, moving, moving_scene
from .test_pictures import has_hue, panel, pixel

PLACE = panel_size(SIZE, PANELS)


def test_flow_has_one_colour_where_everything_moves_alike_and_a_wheel() -> None:
    picture = draw_flow(moving_scene(motion=moving(flow=(0.0, 16.0))))
    coloured = panel(picture, 1, PANELS)
    assert tuple(coloured[0, 0]) == (255, 0, 0), "what was further right is red"
    wheel = coloured[-int(PLACE[0] * 0.24) :, : int(PLACE[0] * 0.24)]
    side = len(wheel)
    assert tuple(wheel[side // 2, -1] > 200) == (True, False, False) and wheel[side // 2, 0, 1] > 200
    assert tuple(wheel[0, 0]) != (255, 0, 0)


def test_lines_lead_from_cells_to_where_they_were() -> None:
    still = panel(draw_flow(moving_scene(motion=moving(flow=(0.0, 0.0)))), 2, PANELS)
    moved = panel(draw_flow(moving_scene(motion=moving(flow=(0.0, 13.0)))), 2, PANELS)
    own = CELLS.to_pixels(CELLS.centres()[2 * 7 + 2], PLACE)
    x, y = np.rint(own + np.array([6, 0])).astype(int)
    assert np.abs(moved[y, x] - STAR_COLOUR).max() < 40 < np.abs(still[y, x] - STAR_COLOUR).max()


def test_flow_of_no_use_says_why() -> None:
    told = draw_flow(moving_scene(motion=replace(moving(flow=(0.0, 0.0)), problem="a cut")))
    untold = draw_flow(moving_scene(motion=moving(flow=(0.0, 0.0))))
    assert not np.array_equal(told, untold)


def test_a_querys_places_are_drawn_in_the_previous_frame() -> None:
    """Head 1 reads cell (0, 0), which is the left upper corner of the part that is shown; the star is on the query."""
    picture = draw_sampling(moving_scene(query=(32, 32), motion=moving(flow=(0.0, 0.0))))
    star = panel(picture, 0, PANELS)
    assert tuple(star[pixel(2 * 7 + 2, PANELS)]) == STAR_COLOUR
    for grid in (1, 2):
        keys = panel(picture, grid, PANELS)
        assert (np.abs(keys - GROUP_COLOURS[1]).max(axis=-1) == 0).any(), "head 1"
        ring = (np.abs(keys - LIGHT).max(axis=-1) == 0).any()
        assert ring, "the query's own place"
    near, far = (panel(picture, grid, PANELS) for grid in (1, 2))
    dots = [(np.abs(keys - GROUP_COLOURS[1]).max(axis=-1) < 30).sum() for keys in (near, far)]
    assert dots[0] > 1.5 * dots[1], "three quarters of the attention make larger dots than one"


def test_places_far_away_are_all_shown() -> None:
    """Flow of two cells to the left and one down: the line leads there, and the dot of head 0 is at its end."""
    picture = draw_sampling(moving_scene(query=(64, 16)))
    keys = panel(picture, 1, PANELS)
    for colour in (STAR_COLOUR, GROUP_COLOURS[0], GROUP_COLOURS[1]):
        assert (np.abs(keys - np.array(colour)).max(axis=-1) < 25).any(), colour


def test_maps_of_both_grids_side_by_side() -> None:
    made = moving_scene(visible=(1,))
    for record in (made.scales[0][1][0], made.scales[1][1][0]):
        record.weights[:] = 0
    made.scales[0][1][0].weights[:, 0, 17] = 1  # fine cell (2, 3)
    made.scales[1][1][0].weights[:, 0, 1 * 4 + 2] = 1  # coarse cell (1, 2), which is fine cell (2, 4)
    picture = draw_scales(made)
    fine, coarse = panel(picture, 1, PANELS), panel(picture, 2, PANELS)
    assert has_hue(fine[pixel(17, PANELS)], object_colour(1))
    assert not has_hue(fine[pixel(18, PANELS)], object_colour(1))
    assert has_hue(coarse[pixel(18, PANELS)], object_colour(1))
    assert not has_hue(coarse[pixel(16, PANELS)], object_colour(1))


def test_without_a_visible_object_nothing_is_claimed() -> None:
    picture = draw_sampling(moving_scene(visible=()))
    assert np.ptp(panel(picture, 1, PANELS)) == 0
    assert draw_sampling(moving_scene(motion=replace(moving(), places=()))) is None
