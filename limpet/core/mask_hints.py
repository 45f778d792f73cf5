"""What is odd about a given mask and can still be tracked: it looks resized, or holds a label that means "ignore"."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEW_IDS = 8
"""With fewer ids a mask is not taken for a resized one."""
VOID_LABELS = (254, 255)


def mask_hints(mask: NDArray[np.uint8], what: str) -> list[str]:
    """Sentences that begin with ``what``, for a mask uint8 (H, W); none for an ordinary one."""
    ids = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
    ids = ids[ids > 0]
    hints = []
    blends = blended_ids(mask, ids) if len(ids) >= FEW_IDS else 0
    if 2 * blends > len(ids):
        hints.append(
            f"{what} looks resized: {blends} of its {len(ids)} ids are thin lines between others, as interpolation "
            "makes them, and each is tracked as an object; resize masks by nearest neighbour"
        )
    elif len(ids) > 1 and ids[-1] in VOID_LABELS and ids[-2] < 128:
        hints.append(
            f"{what} holds the id {ids[-1]} beside small ones; data sets use it for pixels to ignore, but here it is "
            "tracked as an object: set it to 0 if it is none"
        )
    return hints


def blended_ids(mask: NDArray[np.uint8], ids: NDArray[np.intp]) -> int:
    """How many ids look like the steps of an interpolated edge.

    Most of their pixels lie between a smaller and a larger neighbour, and none is inside of an area of its own.
    """
    padded = np.pad(mask, 1, mode="edge")
    rows, columns = mask.shape
    around = [
        padded[1 + y : 1 + y + rows, 1 + x : 1 + x + columns] for y, x in ((-1, 0), (1, 0), (0, -1), (0, 1))
    ]
    smaller = np.any([side < mask for side in around], axis=0)
    larger = np.any([side > mask for side in around], axis=0)
    inside = np.all([side == mask for side in around], axis=0)
    total = np.bincount(mask.ravel(), minlength=256)
    between = np.bincount(mask[smaller & larger], minlength=256)
    filled = np.bincount(mask[inside], minlength=256)
    return int(sum(1 for i in ids if 2 * between[i] > total[i] and 10 * filled[i] <= total[i]))
