"""Flow at cells, and its colours."""

from __future__ import annotations

import numpy as np

from limpet.visual.attention.motion_record import flow_colours

from .scenes import moving


def test_flow_at_cells_is_counted_in_cells() -> None:
    found = moving(flow=(16.0, -32.0)).at_cells()
    assert found.shape == (35, 2)
    height, width = 65 / 5, 97 / 7  # pixels of the network's image for each cell
    assert np.allclose(found, [16 / height, -32 / width])


def test_flow_is_read_at_the_cells_own_place() -> None:
    motion = moving(flow=(0.0, 0.0))
    motion.flow[0, 8, 12] = 13.0  # the middle of 17x25, where cell (2, 3) lies
    found = motion.at_cells()
    assert found[2 * 7 + 3, 0] == 1 and np.count_nonzero(found) == 1


def test_colours_name_directions_and_white_stands_still() -> None:
    right, left, down, still, short = [0, 4], [0, -4], [4, 0], [0, 0], [0, 2]
    flow = np.array([right, left, down, still, short], np.float32).T.reshape(2, 1, 5)
    found = flow_colours(flow, largest=4.0)[0].tolist()
    assert found[0] == [255, 0, 0] and found[1] == [0, 255, 255], "opposite directions, opposite hues"
    assert found[2] in ([127, 255, 0], [128, 255, 0]) and found[3] == [255, 255, 255]
    assert found[4] == [255, 128, 128], "half as far is half as strong"
    assert np.array_equal(flow_colours(flow * 9, 4.0)[0, 0], found[0]), "and no stronger than full"
