"""How objects that disappear and return are scored, as MOSE does it.

J&F over the frames in which the truth is empty (after the object was seen), and over those after each return, each
averaged over the stretches of an object and then over objects (MOSE-api, MOSEv2/sam2_rcms/tools/score.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from limpet.evaluation.scores import ObjectScores


@dataclass(frozen=True)
class Disappearance:
    """Means over the objects that disappear or return, 0 to 1; None where there is no such object.

    absent: J&F while an object is gone. returned: J&F after it is back. absent_objects, returned_objects: how many.
    """

    absent: float | None
    returned: float | None
    absent_objects: int
    returned_objects: int


def disappearance(objects: Sequence[ObjectScores]) -> Disappearance:
    """The scores of the stretches in which objects are gone, and of those after their return.

    >>> one = ObjectScores("a", 1, (1, 0, 1, 0.5), (1, 0, 1, 0.5), visible=(True, False, False, True))
    >>> found = disappearance([one])
    >>> found.absent, found.returned
    (0.5, 0.5)
    """
    absent = [
        value for each in objects for value in [_mean_of_stretches(each, visible=False)] if value is not None
    ]
    back = [
        value for each in objects for value in [_mean_of_stretches(each, visible=True)] if value is not None
    ]
    return Disappearance(
        float(np.mean(absent)) if absent else None,
        float(np.mean(back)) if back else None,
        len(absent),
        len(back),
    )


def _mean_of_stretches(each: ObjectScores, visible: bool) -> float | None:
    """Over all stretches of this kind but one at the beginning."""
    values = (np.asarray(each.region, float) + np.asarray(each.boundary, float)) / 2
    stretches, begin = [], 0
    for kind, frames in groupby(each.visible):
        end = begin + len(list(frames))
        if kind is visible and begin:
            stretches.append(float(values[begin:end].mean()))
        begin = end
    return float(np.mean(stretches)) if stretches else None
