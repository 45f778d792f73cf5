"""What is drawn, as numbers: the attention that an object's queries give, key points, and one query's keys.

Definitions of "Distillation Learning of Deformable Attention", appendix C. Legend: see seen.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limpet.visual.attention.attention_record import Floats, Seen

MAP_SHARE = 0.5
"""A map shows what gets more than this share of the largest attention (Fig. 8)."""
POINT_SHARE = 0.85
"""Key points get more than this share of the largest attention (Fig. 9)."""
STRONGEST = 200
"""How many keys of one query are shown (Fig. 10)."""


def attention_given(seen: Seen, queries: NDArray[np.intp]) -> Floats:
    """The mean attention of some queries to each key: (T, n), which adds up to 1. At least one query."""
    return np.asarray(seen.weights[queries].mean(axis=0), np.float32)


def over_cells(seen: Seen, values: Floats) -> Floats:
    """Values (T, n) of keys, laid over the cells that the keys were read from: (T, h, w) with the same sums.

    A key of a deformable model was read between four cells in each of its S groups: its value is shared out among
    them as they were weighed. A plain model's keys are the cells.
    """
    height, width = seen.cells.size
    if seen.points is None:
        return values.reshape(-1, height, width)
    corner = np.floor(seen.places).astype(int)  # S n 2
    down, right = np.moveaxis(seen.places - corner, -1, 0)
    around = [
        (0, 0, 1 - down, 1 - right),
        (0, 1, 1 - down, right),
        (1, 0, down, 1 - right),
        (1, 1, down, right),
    ]
    laid = np.zeros((len(values), height * width))
    for row, column, share_down, share_right in around:
        rows = (corner[..., 0] + row).clip(max=height - 1)
        columns = (corner[..., 1] + column).clip(max=width - 1)
        cells = (rows * width + columns).ravel()
        shares = share_down * share_right / len(seen.places)
        for frame, each in enumerate(values):
            laid[frame] += np.bincount(cells, (shares * each).ravel(), minlength=height * width)
    return laid.reshape(-1, height, width).astype(np.float32)


def key_points(values: Floats) -> NDArray[np.bool_]:
    """Of values (T, n), those above 0.85 of the largest."""
    return np.asarray(values > POINT_SHARE * values.max())


def strongest_keys(values: Floats, count: int = STRONGEST) -> NDArray[np.bool_]:
    """Of values (T, n), the ``count`` largest, or all where there are fewer."""
    chosen = np.zeros(values.size, bool)
    chosen[np.argsort(-values, axis=None, kind="stable")[:count]] = True
    return chosen.reshape(values.shape)


def similarity(values: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """How similar keys are to a query that gives them ``values`` (T, n): from 1 down to 0 for the last of ``chosen``.

    Attention is a softmax of similarities, so that its logarithm gives them back, but for a constant.
    """
    similar = np.log(np.maximum(values, np.finfo(np.float32).tiny))
    least, most = similar[chosen].min(), similar[chosen].max()
    return np.asarray((similar - least) / max(most - least, 1e-6), np.float32)


def choose_query(seen: Seen, queries: NDArray[np.intp]) -> int:
    """Of an object's queries the one that gives the object's key points most."""
    points = key_points(attention_given(seen, queries))
    return int(queries[seen.weights[queries][:, points].sum(axis=1).argmax()])
