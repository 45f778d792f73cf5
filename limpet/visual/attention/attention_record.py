"""What is known of one frame's attention, as plain arrays, before anything is drawn.

Legend: h w cells of the feature map; T frames that hold keys; n keys a frame; S groups of channels; H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from limpet.visual.attention.cells import CellGrid

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """What the objects of one group read in one frame, in one layer.

    object_ids: of the group.
    cells: the feature map; its cells are the queries.
    key_frames: indices of the T frames that hold keys, the newest first.
    weights: (h*w, T, n), the attention of each cell; all of a cell's weights add up to 1.
    places: (S, n, 2), (row, column) in cells where each group of channels of a key was read, the same in all frames.
        A plain model has one group, whose places are the cells themselves.
    points: (n, 2), the reference points from which places were moved; None for a plain model.
    """

    object_ids: tuple[int, ...]
    cells: CellGrid
    key_frames: tuple[int, ...]
    weights: Floats
    places: Floats
    points: Floats | None
