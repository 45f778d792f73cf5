"""What pages say of the command line is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from limpet.cli.main import app

DOCS = Path(__file__).parents[1] / "docs"
SECTIONS = {
    "tools/demo.py": ["track"],
    "tools/eval.py": ["eval davis", "track", "weights convert"],
    "tools/train.py": ["train"],
}


def options_of(path: str) -> set[str]:
    """All options of a command, for instance "eval davis"."""
    command = typer.main.get_command(app)
    for word in path.split():
        command = command.commands[word]  # type: ignore[attr-defined]
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def rows(page: str, heading: str) -> list[tuple[str, str]]:
    """The two columns of the tables in a section."""
    section = re.split(r"^## ", page, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(heading)]
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [(line[0], line[1]) for line in lines[2:] if len(line) == 2]


@pytest.mark.parametrize("heading", SECTIONS)
def test_options_to_move_to_exist(heading: str) -> None:
    known = set().union(*(options_of(command) for command in SECTIONS[heading]))
    table = rows((DOCS / "moving_from_aot.md").read_text(), heading)
    named = {option for _, here in table for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", here)}
    assert len(table) > 5 and len(named) > 3
    assert named <= known, named - known


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), link
