"""The page's own files: small, self-contained, and without the doors through which a name could become code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "limpet" / "serve" / "static"
OWN = sorted(path for path in STATIC.rglob("*") if path.is_file() and "vendor" not in path.parts)
SCRIPTS = [path for path in OWN if path.suffix == ".js"]
LONGEST = 300


def test_no_file_holds_two_ideas() -> None:
    assert len(SCRIPTS) > 20
    lines = {path.name: path.read_text(encoding="utf-8").count("\n") for path in OWN}
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}


def test_nothing_is_loaded_from_elsewhere() -> None:
    for path in OWN:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        code = re.sub(r"^\s*(//|/?\*).*$", "", text, flags=re.MULTILINE)  # comments may cite
        assert not re.search(r"https?://", code), path


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_texts_never_become_markup_or_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for door in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert door not in text


def test_every_import_is_there_under_that_name() -> None:
    pattern = re.compile(r'import (?:\{([^}]*)\} from )?"([^"]+)"|import\("([^"]+)"\)')
    checked = 0
    for path in SCRIPTS:
        for names, static, dynamic in pattern.findall(path.read_text(encoding="utf-8")):
            target = (path.parent / (static or dynamic)).resolve()
            assert target.is_file(), f"{path.name} imports {target.name}"
            if "vendor" in target.parts:
                continue
            text = target.read_text(encoding="utf-8")
            for name in filter(None, (each.strip() for each in names.split(","))):
                assert re.search(rf"export (async )?(function|const|class) {name}\b", text), (path.name, name)
                checked += 1
    assert checked > 100


def test_licences_stand_beside_what_is_vendored() -> None:
    for name in ("htm", "preact"):
        assert (STATIC / "vendor" / f"LICENSE-{name}.txt").read_text(encoding="utf-8").strip()
