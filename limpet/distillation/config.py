"""What a distillation is besides its training: teacher, lesson, where labels come from. Saved beside the run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from limpet.core.errors import DataError
from limpet.core.files import atomic_path
from limpet.distillation.objective import DistillationConfig

LabelSource = Literal["online", "cached"]
FILE = "distillation.json"


@dataclass(frozen=True)
class DistillationRecord:
    """One distillation.

    teacher, teacher_sha256: the teacher's name and its weights.
    student: name of a preset.
    source: "online", the teacher watches every training clip beside the student and its scores and attention maps are
        compared; "cached", only the masks that it left in the label cache are, which is faster, and without attention.
    lesson: see DistillationConfig.
    """

    teacher: str
    teacher_sha256: str
    student: str
    source: LabelSource = "online"
    lesson: DistillationConfig = field(default_factory=DistillationConfig)

    def __post_init__(self) -> None:
        if self.source not in get_args(LabelSource):
            raise DataError(f"labels are {self.source!r}, expected online or cached")
        if self.source == "cached" and self.lesson.pairs:
            raise DataError(
                "cached labels are masks, and there is no attention in them; use --attention none, or --labels online"
            )
        if self.source == "cached" and self.lesson.features != "none":
            raise DataError("cached labels are masks, and there are no features in them; use --labels online")

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, strings and lists."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain


def record(config: DistillationRecord, folder: Path, resume: bool) -> None:
    """Write the settings into a new run's folder, or check that a resumed run still has the same.

    Raises:
        DataError: they differ; the message says in what. OutputError: the file cannot be written.
    """
    path, ours = folder / FILE, config.as_json()
    if resume and path.is_file():
        differences = differences_of(json.loads(path.read_text()), ours)
        if differences:
            raise DataError(
                f"the run in {folder} was begun with other settings: {'; '.join(differences)}; go on with the same "
                f"ones, or choose another folder"
            )
        return
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(ours, indent=2) + "\n")


def differences_of(before: dict[str, Any], now: dict[str, Any], within: str = "") -> list[str]:
    """Where two nested settings differ, one phrase each: "lesson.labels was 1.0, is now 0.0"."""
    found = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences_of(old, new, f"{within}{name}.")
        elif old != new:
            found.append(f"{within}{name} was {old}, is now {new}")
    return found
