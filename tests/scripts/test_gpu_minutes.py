"""The commands of docs/gpu_minutes.md are ones that the scripts understand."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "gpu_minutes.md"


def test_the_commands_of_the_page_can_be_given() -> None:
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"python3? scripts/(\w+)\.py ([^|\n]*?)(?: 2>&1.*)?$", text, re.MULTILINE)
    names = [name for name, _ in commands]
    assert len(names) >= 7 and set(names) == {"pack_training_data", "take_training_result", "train_briefly"}
    for name, words in commands:
        importlib.import_module(name).make_parser().parse_args(shlex.split(words))
