"""Platt scaling of confidences: from the soft IoU of a mask to its expected IoU. Needs no torch.

The two numbers are measured on labelled video. limpet/tracking/processing.py defines the soft IoU.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

from limpet.core.errors import WeightsError
from limpet.core.json_text import parse_json

FACT = "confidence"
"""The name of a calibration among the facts in the header of a weights file."""
MIN_SOFT_IOU = 1e-4  # soft IoUs are kept this far from 0 and 1, where log-odds are infinite


@dataclass(frozen=True)
class Calibration:
    """Platt scaling: confidence = sigmoid(slope * log_odds(soft IoU) + offset), measured for one weights file.

    It is kept in the header of that file. It is monotone: it changes how large a confidence is, never which of two
    masks is the better one.

    Attributes:
        slope: above 0.
        offset: what is added to the scaled log-odds.
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
            facts = parse_json(text)
            return cls(float(facts["slope"]), float(facts["offset"]))
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{what} holds a confidence calibration that cannot be read ({text!r}); measure it again with: "
                f"limpet calibrate"
            ) from error


def log_odds(share: float) -> float:
    """log(p / (1 - p)) of 0..1, finite at both ends."""
    share = min(max(share, MIN_SOFT_IOU), 1 - MIN_SOFT_IOU)
    return math.log(share / (1 - share))
