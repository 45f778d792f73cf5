"""The pictures: what is drawn where, and that all of a kind have one size."""

from __future__ import annotations

import numpy as np

from limpet.visual.attention.attention_record import AttentionRecord
from limpet.visual.attention.panels import WIDTH, panel_size
from limpet.visual.attention.pictures import (
    GROUP_COLOURS,
    STAR_COLOUR,
    draw_grid,
    draw_map,
    draw_points,
    draw_query,
)
from limpet.visual.overlay import object_colour

from .scenes import CELLS, SIZE, deformed, plain, scene

LEFT, TOP, GAP = 16, 16 + 26, 12  # of the first panel


def panel(picture: np.ndarray, number: int, panels: int = 2) -> np.ndarray:
    height, width = panel_size(SIZE, panels)
    left = LEFT + number * (width + GAP)
    return picture[TOP : TOP + height, left : left + width].astype(int)


def pixel(cell: int, panels: int = 2) -> tuple[int, int]:
    """(row, column) of the centre of a cell in a panel."""
    x, y = CELLS.to_pixels(CELLS.centres()[cell], panel_size(SIZE, panels))
    return round(float(y)), round(float(x))


def attending_to(*cells: int, ids: tuple[int, ...] = (1, 2, 3)) -> AttentionRecord:
    """Every query gives all its attention to these cells of frame 0."""
    record = plain(ids)
    record.weights[:] = 0
    record.weights[:, 0, list(cells)] = 1 / len(cells)
    return record


def has_hue(colour: np.ndarray, wanted: tuple[int, int, int]) -> bool:
    """Whether a pixel leans towards a colour as an object's own does; grey leans to none."""
    lean = np.array(wanted) - np.mean(wanted)
    return float((colour - colour.mean()) @ lean) > 0.25 * float(lean @ lean)


def test_the_map_colours_what_is_attended_to_and_greys_the_rest() -> None:
    keys = panel(draw_map(scene(attending_to(17), visible=(1,))), 1)
    assert has_hue(keys[pixel(17)], object_colour(1))
    far = keys[pixel(34)]
    assert far.max() - far.min() <= 1 and far.max() < 100


def test_points_and_keys_lie_where_they_are_sampled() -> None:
    for draw in (draw_points, draw_query):
        keys = panel(draw(scene(attending_to(17), visible=(1,))), 1)
        assert tuple(keys[pixel(17)]) == object_colour(1), draw.__name__
    points = panel(draw_points(scene(attending_to(17), visible=(1,))), 1)
    assert points[pixel(12)].max() < 100, "what gets nothing is no key point"


def test_the_star_stands_on_the_query() -> None:
    picture = draw_query(scene(attending_to(17), query=(80, 48)))
    assert tuple(panel(picture, 0)[pixel(3 * 7 + 5)]) == STAR_COLOUR


def test_a_key_of_a_deformable_model_has_a_dot_a_group() -> None:
    record = deformed((1, 2, 3))
    record.weights[:] = np.eye(6, dtype=np.float32)[2]
    keys = panel(draw_points(scene(record, visible=(1,))), 1)
    for x, y in CELLS.to_pixels(record.sampling_locations[:, 2], panel_size(SIZE, 2)):
        assert tuple(
            keys[min(round(float(y)), keys.shape[0] - 1), min(round(float(x)), keys.shape[1] - 1)]
        ) == (object_colour(1))


def test_the_grid_leads_from_each_point_to_each_group() -> None:
    record = deformed((1, 2, 3))
    picture = draw_grid(scene(record))
    assert picture is not None
    keys = panel(picture, 1)
    begin = CELLS.to_pixels(record.reference_points, panel_size(SIZE, 2))
    ends = CELLS.to_pixels(record.sampling_locations, panel_size(SIZE, 2))
    for group in (0, 1):
        x, y = (begin[4] + 2 * ends[group, 4]) / 3
        near = keys[round(float(y)) - 2 : round(float(y)) + 3, round(float(x)) - 2 : round(float(x)) + 3]
        assert (np.abs(near - GROUP_COLOURS[group]).max(axis=-1) < 60).any(), "a line in the group's colour"


def test_a_plain_model_has_no_grid() -> None:
    assert draw_grid(scene(plain((1, 2, 3)))) is None


def test_attention_to_a_frame_that_only_one_group_has_in_memory() -> None:
    records = {"near": plain((1, 2), (5, 0)), "far": plain((3,), (0,))}
    for draw in (draw_map, draw_points, draw_query):
        made = scene(*records.values(), key_panels=2, visible=(1, 2, 3))
        assert draw(made).shape[1] == WIDTH
