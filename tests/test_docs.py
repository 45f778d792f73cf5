"""What the pages say is so: links lead somewhere, options exist, and lines can be read in an editor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from cli.command import program

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *(ROOT / "limpet").rglob("*.md")])
LONGEST = 120
"""Characters of a line. The row of a table, which Markdown cannot break, may be longer."""
SECTIONS = {
    "tools/demo.py": ["track"],
    "tools/eval.py": ["eval davis", "vot init", "track", "weights convert"],
    "tools/train.py": ["train"],
}


@cache
def options_of(path: str) -> frozenset[str]:
    """All options of a command, for instance "eval davis"."""
    command = program()
    for word in path.split():
        command = command.commands[word]  # type: ignore[attr-defined]
    named = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return frozenset({*named, "--help"})


def commands_of(page: str) -> Iterator[tuple[str, str]]:
    """Each ``limpet ...`` of a page, in a block or within a line, as (path of the command, all that follows)."""
    text = re.sub(r"\\\n\s*", " ", page)
    blocks = [line for line in text.splitlines() if re.match(r"\s*(\$ )?limpet ", line)]
    inline = [code.replace("\n", " ") for code in re.findall(r"`(limpet [^`]+)`", text)]
    for line in [*blocks, *inline]:
        words = line.split(" #")[0].split()
        words = words[words.index("limpet") + 1 :]
        command, path = program(), []
        while words and words[0] in getattr(command, "commands", {}):
            path.append(words.pop(0))
            command = command.commands[path[-1]]  # type: ignore[attr-defined]
        if path:
            yield " ".join(path), " ".join(words)


def without_code(page: str) -> str:
    """A page without its blocks between fences."""
    return re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)


def named_options(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text))


def rows(page: str, heading: str) -> list[tuple[str, str]]:
    """The two columns of the tables in a section."""
    section = re.split(r"^## ", page, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(heading)]
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [(line[0], line[1]) for line in lines[2:] if len(line) == 2]


@pytest.mark.parametrize("heading", SECTIONS)
def test_options_to_move_to_exist(heading: str) -> None:
    known = frozenset().union(*(options_of(command) for command in SECTIONS[heading]))
    table = rows((DOCS / "moving_from_aot.md").read_text(), heading)
    named = {option for _, here in table for option in named_options(here)}
    assert len(table) > 5 and len(named) > 3
    assert named <= known, named - known


def test_options_of_the_glossary_exist() -> None:
    def all_options(command: object) -> set[str]:
        named = {name for parameter in command.params for name in parameter.opts}  # type: ignore[attr-defined]
        return named.union(*map(all_options, getattr(command, "commands", {}).values()))

    named = named_options((DOCS / "glossary.md").read_text())
    assert len(named) > 15
    assert named <= all_options(program()), named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
class TestPage:
    def test_links_lead_somewhere(self, page: Path) -> None:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", without_code(page.read_text())):
            if not re.match(r"[a-z]+:", link):
                assert (page.parent / link).exists(), link

    def test_links_within_pages_lead_to_a_heading(self, page: Path) -> None:
        for link, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", without_code(page.read_text())):
            if not re.match(r"[a-z]+:", link):
                target = (page.parent / link if link else page).read_text()
                headings = re.findall(r"^#+ (.*)$", target, flags=re.MULTILINE)
                slugs = {re.sub(r"[^\w\s-]", "", title).lower().replace(" ", "-") for title in headings}
                assert anchor in slugs, f"{link}#{anchor}"

    def test_options_of_commands_exist(self, page: Path) -> None:
        for command, rest in commands_of(page.read_text()):
            unknown = named_options(rest) - options_of(command)
            assert not unknown, f"limpet {command} has no {', '.join(sorted(unknown))}"

    def test_lines_are_of_a_length_to_read(self, page: Path) -> None:
        long = [
            f"line {number} has {len(line)} characters"
            for number, line in enumerate(page.read_text().splitlines(), start=1)
            if len(line) > LONGEST and not line.lstrip().startswith("|")
        ]
        assert not long, "; ".join(long)


def test_commands_are_found_where_pages_have_them() -> None:
    page = "Use `limpet track a.mp4\n--mask b.png`:\n\n    limpet eval davis D \\\n        --split x  # not --this\n"
    assert list(commands_of(page)) == [("eval davis", "D --split x"), ("track", "a.mp4 --mask b.png")]
    assert len({command for path in PAGES for command, _ in commands_of(path.read_text())}) > 15
