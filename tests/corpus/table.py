"""The cases of the corpus, and the page that has a row for each: what comes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from . import annotations, masks, models, projects, videos
from .case import Case

PAGE = Path(__file__).resolve().parents[2] / "docs" / "bad_input.md"


def all_cases() -> dict[tuple[str, str], Case]:
    """By group and name."""
    found = {}
    for case in chain(*(module.cases() for module in (masks, videos, models, annotations, projects))):
        key = case.group, shown(case.name)
        assert key not in found, f"two cases are called {key}"
        found[key] = case
    return found


def shown(name: str) -> str:
    """A name as it stands in the table."""
    name = name.replace("|", "/").replace("<", "‹").replace(">", "›").replace("`", "'").replace("\x00", "\\0")
    return " ".join(name.split())


def expected() -> dict[tuple[str, str], str]:
    """The outcome of each row of the page, by group and name."""
    outcomes: dict[tuple[str, str], str] = {}
    group = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            group = line[3:]
        elif found := re.fullmatch(r"\| (.*?) \| `(.*)` \|", line):
            outcomes[group, found[1]] = found[2]
    return outcomes


def page(outcomes: Mapping[tuple[str, str], str]) -> str:
    """The page with these outcomes; what stands before its first table stays."""
    lines = [PAGE.read_text(encoding="utf-8").partition("\n## ")[0].rstrip()]
    group = ""
    for (of, name), outcome in outcomes.items():
        if of != group:
            lines += ["", f"## {of}", "", "| input | what comes |", "|---|---|"]
            group = of
        lines.append(f"| {name} | `{outcome}` |")
    return "\n".join(lines) + "\n"
