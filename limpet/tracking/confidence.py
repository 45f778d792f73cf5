"""How good the masks of a step are, told from the probabilities that they came from.

Confidence is the expected IoU (the J of DAVIS) of an object's mask in this frame with its true mask, 0..1. A mask cut
from probabilities p has the expected intersection sum(p inside) and, about, the expected union area + sum(p outside).
Their ratio is the *soft IoU*. It would be the confidence itself if every p were right; networks are too sure of
themselves, and a calibration measured on labelled video maps one to the other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from limpet.errors import WeightsError

FACT = "confidence"
"""The name of a calibration among the facts in the header of a weights file."""
_LEAST = 1e-4  # soft IoUs are kept this far from 0 and 1, where log-odds have no end


@dataclass(frozen=True)
class Calibration:
    """From soft IoU to confidence, for the weights that it was measured on: a straight line between log-odds.

    It belongs to one weights file and is kept in its header. It is monotone: it changes how large a confidence is,
    never which of two masks is the better one.

    Attributes:
        slope: above 0.
        offset: what is added.
    """

    slope: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not (self.slope > 0 and math.isfinite(self.slope) and math.isfinite(self.offset)):
            raise ValueError(
                f"a calibration has a slope above 0 and a finite offset; got {self.slope}, {self.offset}"
            )

    def __call__(self, soft_iou: float) -> float:
        """The confidence for a soft IoU; 0 stays 0, which means that there is no mask."""
        if soft_iou <= 0:
            return 0.0
        return 1 / (1 + math.exp(-self.slope * log_odds(soft_iou) - self.offset))

    def to_text(self) -> str:
        """JSON for the header of a weights file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str, what: str) -> Calibration:
        """Read what ``to_text`` wrote. Raises WeightsError, naming ``what``, when it is something else."""
        try:
            facts = json.loads(text)
            return cls(float(facts["slope"]), float(facts["offset"]))
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{what} holds a confidence calibration that cannot be read ({text!r}); measure it again with: "
                f"limpet calibrate"
            ) from error


def log_odds(share: float) -> float:
    """log(p / (1 - p)) of 0..1, finite at both ends."""
    share = min(max(share, _LEAST), 1 - _LEAST)
    return math.log(share / (1 - share))


def soft_ious(scores: Sequence[Tensor], ids: Sequence[Sequence[int]]) -> dict[int, float]:
    """The soft IoU of each object's mask, 0 where an object wins no place.

    What an object loses to one of another group counts as outside of its mask.

    Args:
        scores: for each group of objects (1, N+1, h, w) float32, background first.
        ids: for each group its N ids.

    Returns:
        id -> 0..1. The device is asked once, whatever the number of objects.
    """
    shares = _probabilities(scores)
    # no index_add: on a GPU its order of adding is another every time
    won = (shares == shares.amax(dim=0)).to(shares.dtype)
    area, inside = won.sum(dim=1), won.mul_(shares).sum(dim=1)
    ratios = (inside / (area + shares.sum(dim=1) - inside).clamp_min(1e-6)).tolist()
    names = [object_id for group in ids for object_id in group]
    return dict(zip(names, ratios[1:], strict=True))


def _probabilities(scores: Sequence[Tensor]) -> Tensor:
    """(1+N, h*w) of background and all objects; of several groups the backgrounds are multiplied."""
    groups = [group[0].flatten(1).softmax(dim=0) for group in scores]
    if len(groups) == 1:
        return groups[0]
    background = torch.stack([group[0] for group in groups]).prod(dim=0, keepdim=True)
    return torch.cat([background, *(group[1:] for group in groups)])
