"""The studies of MobileVOS: its tables 5 to 8 and figures 4, 5 and 9, as small changes of eq. 10."""

from __future__ import annotations

from limpet.distillation.config import DistillationConfig, MobileVOSConfig, RepresentationLoss, Sampling
from limpet.studies import mobilevos_paper as paper
from limpet.studies.arms import Arm, Plot, Queue, Split, Study
from limpet.studies.paper import PaperScores

SMALL, ASPP, LARGE = "mobilevos-mobilenet-v2-small", "mobilevos-mobilenet-v2", "mobilevos-resnet-18"
CONTRASTIVE, DISTILLED = 0.0, 0.95
"""Omega of ResNet-18, and of MobileNetV2."""
CELLS = MobileVOSConfig().sampled_cells
"""By their number P the representation term is divided (Algorithm 1)."""


def mobilevos(
    omega: float,
    representation: RepresentationLoss = "renyi",
    sampling: Sampling = "boundary",
    weight: float = 1.0,
) -> DistillationConfig:
    """Eq. 10, with one or another of its parts; ``weight`` is that of the representation."""
    terms = MobileVOSConfig(
        omega=omega, representation=representation, feature_weight=weight, sampling=sampling
    )
    return DistillationConfig(method="mobilevos", mobilevos=terms)


def _arm(
    name: str,
    title: str,
    distillation: DistillationConfig | None,
    student: str = LARGE,
    scores: PaperScores | None = None,
    mask_loss: str = "poly_ce",
    queue: Queue | None = None,
) -> Arm:
    return Arm(name, title, distillation, student, scores, mask_loss, queue)


def _study(
    name: str,
    title: str,
    section: str,
    question: str,
    arms: tuple[Arm, ...],
    remark: str,
    split: Split = "davis17",
    plot: Plot = "scores",
) -> Study:
    return Study(
        f"mobilevos-{name}", f"MobileVOS, {title}", section, question, arms,
        plot=plot, remark=remark, paper="mobilevos", split=split,
    )  # fmt: skip


STUDIES = (
    _study(
        "fig-4", "fig. 4: length of the memory queue", "section 4.4",
        "What does a longer memory bring?",
        (
            _arm("first", "1, the first frame", mobilevos(DISTILLED), ASPP, queue="first"),
            _arm("previous", "1, the previous frame", mobilevos(DISTILLED), ASPP, queue="previous"),
            _arm("both", "2, first and previous", mobilevos(DISTILLED), ASPP, queue="first and previous"),
            _arm("unbounded", "unbounded, every fifth", mobilevos(DISTILLED), ASPP, queue="unbounded"),
        ),
        "The table in the figure is a picture; the text says that the loss at 2 is minimal. What a queue of 1 holds is "
        "not said, so that both are here. All rows are the same trained weights. Times: docs/benchmarks.md.",
        split="davis16",
    ),
    _study(
        "table-5", "table 5: terms of the loss", "section 5",
        "What do the two terms of distillation add to cross-entropy?",
        (
            _arm("ce", "L_xe", None, scores=paper.CE),
            _arm("logit", "L_xe + L_logit", mobilevos(CONTRASTIVE, "none"), scores=paper.CE_LOGIT),
            _arm(
                "all", "L_xe + L_logit + L_repr", mobilevos(CONTRASTIVE), scores=paper.CE_LOGIT_REPRESENTATION
            ),
            _arm("weighted", f"L_xe + L_logit + {CELLS} L_repr", mobilevos(CONTRASTIVE, weight=CELLS)),
        ),
        "The paper's numbers are of YouTube-VOS, and with omega 0: they are those of its ResNet-18 in tables 3 and 6. "
        "The last row is ours: it takes back the division by the number of cells, which leaves the term below 0.01.",
        split="youtube19",
    ),
    _study(
        "table-6", "table 6: omega", "section 5",
        "Should pixels be alike that the teacher finds alike, or those with the same label?",
        tuple(
            _arm(f"omega-{omega}", f"omega = {omega}", mobilevos(omega), scores=row)
            for omega, row in paper.OMEGAS.items()
        ),
        "On YouTube-VOS the paper's order is another: 0.0 > 0.8 > 0.2 > 1.0. All rows have the logits' term.",
    ),
    _study(
        "table-7", "table 7: poly-1 cross-entropy", "section 7.2",
        "Does the poly-1 form of cross-entropy matter?",
        (
            _arm("with", "with", None, SMALL, paper.WITH_POLY),
            _arm("without", "without", None, SMALL, paper.WITHOUT_POLY, mask_loss="ce"),
        ),
        "Without distillation, as in the paper.",
    ),
    _study(
        "table-8", "table 8: with and without distillation", "section 7.7",
        "What does distillation bring to the small students?",
        (
            _arm("small-alone", "wo/ ASPP, alone", None, SMALL, paper.SMALL_ALONE),
            _arm("small", "wo/ ASPP, distilled", mobilevos(DISTILLED), SMALL, paper.SMALL_DISTILLED),
            _arm("aspp-alone", "w/ ASPP, alone", None, ASPP, paper.ASPP_ALONE),
            _arm("aspp", "w/ ASPP, distilled", mobilevos(DISTILLED), ASPP, paper.ASPP_DISTILLED),
        ),
        "The paper prints all rows as w/ ASPP; its tables 1 and 2 have the first two without.",
    ),
    _study(
        "fig-5", "fig. 5: boundary-aware sampling", "section 3.3",
        "Do pixels near outlines teach faster than as many anywhere?",
        (
            _arm("random", "random pixels", mobilevos(DISTILLED, sampling="random"), SMALL),
            _arm("boundary", "boundary pixels", mobilevos(DISTILLED), SMALL),
        ),
        "The figure is a picture. Of the curves only the loss on masks can be compared: the other two are of the "
        "sampled pixels, which are harder near outlines.",
        plot="curves",
    ),
    _study(
        "fig-9", "fig. 9: other ways to distil", "section 7.6",
        "Is the representation loss better than hints and attention transfer in its place?",
        (
            _arm("hints", "Hints (FitNets)", mobilevos(CONTRASTIVE, "hints")),
            _arm("attention-transfer", "Attention transfer", mobilevos(CONTRASTIVE, "attention-transfer")),
            _arm("ours", "MobileVOS", mobilevos(CONTRASTIVE)),
        ),
        "The figure is a picture; the text says that both lose more than 1 J&F on DAVIS-16. Here they take the place "
        "of L_repr, on the same maps, and the other terms stay.",
        split="davis16",
    ),
)  # fmt: skip
"""In the order of the paper."""
