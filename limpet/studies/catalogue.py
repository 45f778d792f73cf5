"""All studies by name, each with its arms; those of the distillation paper are small changes of its eq. 12."""

from __future__ import annotations

import difflib

from limpet.core.errors import DataError
from limpet.distillation.config import (
    AttentionLoss,
    DistillationConfig,
    DistillationLossConfig,
    FeatureKind,
    LogitLoss,
    MapChoice,
)
from limpet.studies import mobilevos_catalogue, paper
from limpet.studies.arms import Arm, Study


def distillation(
    logits: LogitLoss = "dist",
    attention: AttentionLoss = "cka",
    attention_weight: float = 1.5,
    labels: float = 0.0,
    features: FeatureKind = "none",
    teacher_layer: int = -1,
) -> DistillationConfig:
    """Eq. 12 by default: no mask loss, and the last layers' maps."""
    maps = ((MapChoice(), MapChoice(teacher_layer)),)
    return DistillationConfig(
        DistillationLossConfig(logits, attention, attention_weight), labels, maps, features
    )


def find_study(name: str) -> Study:
    """The study called ``name``. Raises DataError with the names there are."""
    if name in STUDIES:
        return STUDIES[name]
    near = difflib.get_close_matches(name, STUDIES, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(STUDIES)}"
    raise DataError(f"there is no study {name!r}; {hint}")


_OURS = distillation()
_DIST = distillation(attention="none")
_PEFD = distillation("none", "none", labels=1.0, features="pefd")
_HINTS = distillation("none", "none", labels=1.0, features="hints")
_MOBILEVOS = distillation("kl", "none", labels=1.0, features="mobilevos")

_ALL = (
    Study(
        "table-1", "Table 1: vanilla or deformable attention", "section 4.3",
        "Does a student whose long-term and self propagation are deformable learn more from the same teacher?",
        (
            Arm("vanilla", "Vanilla attention", _OURS, "deaot-t", paper.VANILLA),
            Arm("deformable", "Deformable attention", _OURS, paper=paper.DEFORMABLE),
        ),
    ),
    Study(
        "table-2", "Table 2: methods of distillation", "section 4.3",
        "Does it pay to distil attention maps beside the logits, and how do other methods do?",
        (
            Arm("dist", "DIST", _DIST, paper=paper.DIST),
            Arm("pefd", "PEFD", _PEFD, paper=paper.PEFD),
            Arm("mobilevos", "MobileVOS", _MOBILEVOS, paper=paper.MOBILEVOS),
            Arm("hints", "Hints (FitNets)", _HINTS),
            Arm("kl", "KL of the logits", distillation("kl", "none")),
            Arm("ours", "Ours", _OURS, paper=paper.OURS_TABLE_2),
        ),
        remark="Ours and DIST are eq. 12 with lambda 1.5 and 0. PEFD, MobileVOS and hints have the mask loss on the "
        "teacher's labels that their own papers have on true ones. Features are the tokens that the decoders read.",
    ),
    Study(
        "table-4", "Table 4: KL or CKA for attention maps", "section 4.4",
        "Is CKA a better distance of attention maps than KL divergence?",
        (
            Arm("kl", "KL-divergence", distillation(attention="kl"), paper=paper.KL),
            Arm("cka", "CKA", _OURS, paper=paper.CKA),
        ),
        remark="For KL the teacher's map is averaged over the cells that a student's key stands for.",
    ),
    Study(
        "table-5", "Table 5: which attention map", "section 4.4",
        "Which of the teacher's three layers should the student's attention be like?",
        (
            Arm("map-1", "Att. map 1, logit", distillation(teacher_layer=0), paper=paper.MAP_1),
            Arm("map-2", "Att. map 2, logit", distillation(teacher_layer=1), paper=paper.MAP_2),
            Arm("map-3", "Att. map 3, logit", distillation(teacher_layer=2), paper=paper.MAP_3),
            Arm("logit", "logit alone", _DIST),
            Arm("attention", "Att. map 3 alone", distillation("none", teacher_layer=2)),
        ),
        remark="Maps are the teacher's long-term maps; the student, which has one layer, always gives its only one.",
    ),
    Study(
        "table-6", "Table 6: terms of the loss", "appendix D.1",
        "What does each term of eq. 12 add?",
        (
            Arm("inter", "L_inter", distillation("inter", "none"), paper=paper.INTER),
            Arm("inter-intra", "L_inter + L_intra", _DIST, paper=paper.INTER_INTRA),
            Arm("all", "L_inter + L_intra + lambda L_att", _OURS, paper=paper.DEFORMABLE),
        ),
        remark="The paper prints another result for L_inter + L_intra here than for DIST in Table 2, which section 4.3 "
        "calls the same setting.",
    ),
    Study(
        "table-7", "Table 7: lambda", "appendix D.2",
        "How much should attention count?",
        tuple(
            Arm(f"lambda-{value}", f"lambda = {value}", distillation(attention_weight=value), paper=row)
            for value, row in paper.LAMBDAS.items()
        ),
    ),
    Study(
        "table-8", "Table 8: AOT as teacher and student", "appendix D.3",
        "Does the method carry over to AOT?",
        (
            Arm("conventional", "Conventional KD", distillation("kl", "none"), "aot-t", paper.AOT_CONVENTIONAL),
            Arm("ours", "Ours", _OURS, "aot-t", paper.AOT_OURS),
        ),
        teacher="aot-l",
        remark="Conventional KD distils the logits only, the paper says; we read it as KL divergence of them.",
    ),
    Study(
        "fig-4", "Fig. 4: accuracy and memory", "section 4.3",
        "What does a point of J&F cost in memory?",
        (
            Arm("t", "DeAOT-T", _OURS, "deaot-t", paper.VANILLA),
            Arm("t-deformable", "DeAOT-T, deformable", _OURS, paper=paper.DEFORMABLE),
            Arm("s", "DeAOT-S", _OURS, "deaot-s"),
            Arm("s-deformable", "DeAOT-S, deformable", _OURS, "deaot-s-deformable"),
        ),
        plot="memory",
        remark="Fig. 4 is a picture without numbers; Table 3 has the scores of its methods, which are below the table.",
    ),
    Study(
        "fig-5", "Fig. 5: convergence of the losses", "section 4.4",
        "Do the losses converge, and does CKA do so better than KL?",
        (
            Arm("kl", "KL-divergence", distillation(attention="kl"), paper=paper.KL),
            Arm("cka", "CKA", _OURS, paper=paper.CKA),
        ),
        plot="curves",
        remark="Fig. 5 is a picture without numbers; the scores are those of Table 4.",
    ),
)  # fmt: skip

STUDIES = {study.name: study for study in (*_ALL, *mobilevos_catalogue.STUDIES)}
"""By name, paper by paper, in the order of each."""
