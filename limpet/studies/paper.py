"""The numbers of the paper (arXiv 2401.13937), copied from its tables: per cent, in the order J&F, J, F.

Figures 4 and 5 are pictures without numbers; what section 4.3 says of Fig. 4 is in Table 3.
"""

from __future__ import annotations

from dataclasses import dataclass

Triple = tuple[float, ...]
"""J&F, J and F in per cent, or J&F alone."""


@dataclass(frozen=True)
class PaperScores:
    """A row of the paper, in per cent; None where the paper has no number.

    Attributes:
        davis16, davis17: J&F, J and F on the val split.
        youtube18, youtube19: what the paper calls J&F on YouTube-VOS.
    """

    davis16: Triple | None = None
    davis17: Triple | None = None
    youtube18: float | None = None
    youtube19: float | None = None


# Table 1, section 4.3
VANILLA = PaperScores((83.35, 83.30, 83.40), (69.10, 66.60, 71.60), 68.61, 69.26)
DEFORMABLE = PaperScores((85.75, 84.90, 86.60), (72.75, 69.90, 75.60), 73.18, 73.95)

# Table 2, section 4.3. The last row is that of Table 1, with YouTube-VOS printed as 73.20 and 74.00.
DIST = PaperScores((84.50, 84.00, 85.00), (71.05, 68.50, 73.60), 71.40, 72.90)
PEFD = PaperScores(None, (57.20, 54.80, 59.60))
MOBILEVOS = PaperScores((80.1, 79.5, 80.7), (70.3, 67.9, 72.7), 72.68, 72.96)
OURS_TABLE_2 = PaperScores((85.75, 84.90, 86.60), (72.75, 69.90, 75.60), 73.20, 74.00)

# Table 3, section 4.3: other methods on DAVIS-17 val, frames per second, and YouTube-VOS 2018
OTHERS = {
    "CorrFlow": (PaperScores(davis17=(50.30, 48.40, 52.20)), 2.00),
    "MAST": (PaperScores(davis17=(65.50, 63.30, 67.60), youtube18=64.20), 2.06),
    "Self-cycle": (PaperScores(davis17=(70.50, 67.40, 73.60)), None),
    "Mining": (PaperScores(davis17=(70.30, 67.90, 72.60), youtube18=67.30), None),
    "LIIR": (PaperScores(davis17=(72.10, 69.70, 74.50), youtube18=69.30), 1.87),
    "Mask-VOS": (PaperScores(davis17=(74.50, 71.60, 77.40), youtube18=71.60), 1.77),
    "DeAOT-T": (PaperScores(davis17=(69.10, 66.60, 71.60), youtube18=68.61), 64.26),
    "Ours (paper)": (PaperScores(davis17=(72.75, 69.90, 75.60), youtube18=73.18), 52.36),
}

# Table 4, section 4.4
KL = PaperScores(davis17=(54.65, 52.10, 57.20))
CKA = PaperScores(davis17=(72.75, 69.90, 75.60))

# Table 5, section 4.4
MAP_1 = PaperScores(davis17=(69.65, 66.90, 72.40))
MAP_2 = PaperScores(davis17=(66.40, 63.80, 69.00))
MAP_3 = PaperScores(davis17=(72.75, 69.90, 75.60))

# Table 6, appendix D.1
INTER = PaperScores((83.50, 82.70, 84.30), (68.75, 66.20, 71.30), 69.83, 71.05)
INTER_INTRA = PaperScores((82.50, 82.10, 83.50), (69.50, 66.90, 72.10), 69.67, 70.94)

# Table 7, appendix D.2
LAMBDAS = {
    0.5: PaperScores((83.75, 83.2, 84.3), (68.25, 65.6, 70.9), 69.35, 70.93),
    1.0: PaperScores((83.55, 83, 84.1), (69.1, 66.7, 71.5), 68.23, 69.47),
    1.5: DEFORMABLE,
    2.0: PaperScores((81.60, 81.20, 82.00), (64.75, 63.10, 66.40), 69.90, 67.17),
}

# Table 8, appendix D.3
AOT_CONVENTIONAL = PaperScores((78.90, 80.80, 77.00), (56.30, 55.70, 56.90), 60.29, 60.52)
AOT_OURS = PaperScores((81.50, 83.00, 80.00), (67.25, 66.70, 67.80), 67.30, 67.60)
