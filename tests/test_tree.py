"""The tree can be guessed: names are used once, files hold one idea, and every module has its test."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "limpet"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 320
"""Lines of a file. One that wants to grow past that holds two ideas."""
CONVENTIONAL = {"__init__.py", "config.py", "losses.py"}
"""Names of files that mean the same thing in every package."""
MIRRORED = ("batch", "models", "tracking", "training", "distillation", "data", "evaluation")


def path_of(module: Path) -> str:
    return module.relative_to(ROOT).as_posix()


def test_no_class_name_is_used_twice() -> None:
    where = defaultdict(list)
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                where[node.name].append(path_of(module))
    assert len(where) > 300, "it does find classes"
    assert {name: paths for name, paths in where.items() if len(paths) > 1} == {}


def test_no_file_name_is_used_in_two_packages() -> None:
    """A command's file has the command's name, which may be that of what it runs: ``limpet.cli.project``."""
    where = defaultdict(list)
    for module in MODULES:
        if module.parent != PACKAGE / "cli" and module.name not in CONVENTIONAL:
            where[module.name].append(path_of(module))
    assert {name: paths for name, paths in where.items() if len(paths) > 1} == {}


def test_no_file_holds_two_ideas() -> None:
    lines = {path_of(module): module.read_text(encoding="utf-8").count("\n") for module in MODULES}
    assert {path: count for path, count in lines.items() if count > LONGEST} == {}


@pytest.mark.parametrize("package", MIRRORED)
def test_every_module_has_its_test_file(package: str) -> None:
    modules = [module for module in (PACKAGE / package).rglob("*.py") if module.name != "__init__.py"]
    assert modules
    missing = []
    for module in modules:
        inside = module.relative_to(PACKAGE)
        test = ROOT / "tests" / inside.parent / f"test_{inside.name}"
        if not test.exists():
            missing.append(path_of(module))
    assert missing == []
