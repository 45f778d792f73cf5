"""What a study is: a question of the paper, the arms that answer it, and the paper's own figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from limpet.distillation.config import DistillationConfig

Triple = tuple[float, float, float]
Plot = Literal["scores", "memory", "curves"]


@dataclass(frozen=True)
class PaperScores:
    """A row of the paper, in per cent.

    davis16, davis17: J&F, J and F on the val split; youtube18, youtube19: what the paper calls J&F there. None where
    the paper has no number.
    """

    davis16: Triple | None = None
    davis17: Triple | None = None
    youtube18: float | None = None
    youtube19: float | None = None


@dataclass(frozen=True)
class Arm:
    """One way to train a student.

    name: of its folder. title: its row in the table, as the paper has it.
    lesson: what the student is compared in.
    student: name of a preset.
    paper: its row in the paper; None where the paper has no such arm.
    """

    name: str
    title: str
    lesson: DistillationConfig
    student: str = "deaot-t-deformable"
    paper: PaperScores | None = None


@dataclass(frozen=True)
class Study:
    """A table or a figure.

    name: as on the command line. title, section: where the paper has it.
    question: one sentence. arms: in the order of the table.
    teacher: the preset to learn from where the user names none, at a scale below the paper's.
    plot: what is drawn: the scores, scores over memory, or curves of the losses.
    remark: what a reader should know of the paper's numbers or of our reading of it.
    """

    name: str
    title: str
    section: str
    question: str
    arms: tuple[Arm, ...]
    teacher: str = "deaot-l"
    plot: Plot = "scores"
    remark: str = ""
