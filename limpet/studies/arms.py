"""What a study is made of: its arms, each a way to train a student, and the paper that it repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from limpet.distillation.config import DistillationConfig
from limpet.studies.paper import PaperScores

Plot = Literal["scores", "memory", "curves"]
Split = Literal["davis16", "davis17", "youtube19"]
Queue = Literal["first", "previous", "first and previous", "unbounded"]
PaperName = Literal["distillation", "mobilevos"]
SPLITS: dict[Split, str] = {
    "davis16": "DAVIS-16 val",
    "davis17": "DAVIS-17 val",
    "youtube19": "YouTube-VOS 2019",
}


@dataclass(frozen=True)
class Arm:
    """One way to train a student.

    Attributes:
        name: of its folder.
        title: its row in the table, as the paper has it.
        distillation: what of the student is compared with the teacher; None trains it on the masks of the clips alone.
        student: name of a preset.
        paper: its row in the paper; None where the paper has no such arm.
        mask_loss: the loss on masks; None is that of the scale.
        queue: the frames that the student remembers when it is scored; None is as it was trained.
    """

    name: str
    title: str
    distillation: DistillationConfig | None
    student: str = "deaot-t-deformable"
    paper: PaperScores | None = None
    mask_loss: str | None = None
    queue: Queue | None = None


@dataclass(frozen=True)
class Study:
    """A table or a figure of a paper: a question, and the arms that answer it.

    Attributes:
        name: as on the command line.
        title, section: where the paper has it.
        question: one sentence.
        arms: in the order of the table.
        teacher: the preset to learn from where the user names none, at a scale below the paper's.
        plot: what is drawn: the scores, scores over memory, or curves of the losses.
        remark: what a reader should know of the paper's numbers, or of our reading of it.
        paper: which paper; its scales and its sentences on a page differ.
        split: the paper's scores that ours are put in order with.
    """

    name: str
    title: str
    section: str
    question: str
    arms: tuple[Arm, ...]
    teacher: str = "deaot-l"
    plot: Plot = "scores"
    remark: str = ""
    paper: PaperName = "distillation"
    split: Split = "davis17"
