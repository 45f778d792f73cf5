"""The numbers of MobileVOS (Miles et al., CVPR 2023), copied from its tables: per cent, J&F or J&F, J, F.

Figures 4, 5 and 9 are pictures without numbers in the text.
"""

from __future__ import annotations

from limpet.studies.paper import PaperScores

# Table 5, YouTube-VOS; mean over seen and unseen classes. J of the last row is printed 79.96, but only 78.96 has the
# printed mean, and table 3 agrees with that.
CE = PaperScores(youtube19=80.75)
CE_LOGIT = PaperScores(youtube19=81.38)
CE_LOGIT_REPRESENTATION = PaperScores(youtube19=82.28)

# Table 6: J&F of DAVIS-16, DAVIS-17 and YouTube-VOS, ResNet-18
OMEGAS = {
    0.0: PaperScores((91.0,), (83.1,), youtube19=82.3),
    0.2: PaperScores((90.6,), (83.7,), youtube19=81.3),
    0.8: PaperScores((90.2,), (83.4,), youtube19=81.5),
    1.0: PaperScores((90.9,), (84.2,), youtube19=81.1),
}

# Table 7: MobileNetV2 without ASPP, without distillation
WITH_POLY = PaperScores((89.8,), (80.1,))
WITHOUT_POLY = PaperScores((89.8,), (79.9,))

# Table 8: its first two rows are printed "w/ ASPP", but tables 1 and 2 have their scores without ASPP.
SMALL_ALONE = PaperScores((89.2,), (80.5,))
SMALL_DISTILLED = PaperScores((90.1,), (81.8,))
ASPP_ALONE = PaperScores((89.6,), (81.6,))
ASPP_DISTILLED = PaperScores((90.5,), (82.2,))
