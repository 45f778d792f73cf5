"""The kinds of pictures, by name. A new one is a function of a Scene and a line here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from limpet.visual.attention.attention_scene import Scene
from limpet.visual.attention.draw_grid import draw_grid
from limpet.visual.attention.draw_map import draw_map
from limpet.visual.attention.draw_points import draw_points
from limpet.visual.attention.draw_query import draw_query

DRAW: dict[str, Callable[[Scene], NDArray[np.uint8] | None]] = {
    "maps": draw_map,
    "points": draw_points,
    "query": draw_query,
    "grid": draw_grid,
}
"""From a scene to RGB uint8 (H, W, 3); None where the model has nothing of the kind."""
