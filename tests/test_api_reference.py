"""Every public name has a docstring, and the pages made of them build."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType

import pytest

import limpet
from limpet.registry import entries

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))


def modules() -> list[str]:
    """Of every file of the package."""
    root = Path(limpet.__file__).parent
    files = sorted(root.rglob("*.py"))
    names = [".".join(("limpet", *file.relative_to(root).with_suffix("").parts)) for file in files]
    return [name.removesuffix(".__init__") for name in names]


def undocumented(module: ModuleType) -> Iterator[str]:
    """Public functions, classes, methods and properties that are defined in ``module`` and say nothing.

    A method may take its words from the class that it overrides; a preset has its summary in the table of models;
    the members of a protocol are told in its own docstring.
    """
    presets = {entry.preset for entry in entries()}
    if not module.__doc__:
        yield module.__name__
    for name, value in vars(module).items():
        ours = getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
        if not ours or not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        if not inspect.getdoc(value) and value not in presets:
            yield f"{module.__name__}.{name}"
        tells_all = inspect.isfunction(value) or getattr(value, "_is_protocol", False)
        for part in () if tells_all else vars(value):
            member = inspect.getattr_static(value, part)
            if isinstance(member, (classmethod, staticmethod)):
                member = member.__func__
            is_code = inspect.isfunction(member) or isinstance(member, (property, cached_property))
            if is_code and not part.startswith("_") and not inspect.getdoc(getattr(value, part)):
                yield f"{module.__name__}.{name}.{part}"


@pytest.mark.parametrize("name", modules())
def test_every_public_name_has_a_docstring(name: str) -> None:
    package = importlib.import_module("api_reference").lacks(name)
    if package:
        pytest.skip(f"{name} needs {package}, which is not installed")
    assert list(undocumented(importlib.import_module(name))) == []


def test_a_name_without_a_docstring_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bare.py").write_text(
        "def told():\n    'Yes.'\ndef bare(): ...\ndef _own(): ...\n"
        "class Thing:\n    'Yes.'\n    def told(self):\n        'Yes.'\n    def bare(self): ...\n"
        "    @property\n    def also(self): ...\n    @classmethod\n    def make(cls): ...\n"
        "class Other(Thing):\n    'Yes.'\n    def told(self): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert list(undocumented(importlib.import_module("bare"))) == [
        "bare", "bare.bare", "bare.Thing.bare", "bare.Thing.also", "bare.Thing.make"
    ]  # fmt: skip


def test_pages_build(tmp_path: Path) -> None:
    pytest.importorskip("pdoc", reason="needs the [docs] extra")
    from api_reference import public_modules, write_pages

    known = public_modules()
    assert {"limpet", "limpet.tracking.tracker", "limpet.models.deaot"} <= set(known)
    assert not any(name.startswith("limpet.cli") for name in known)
    write_pages(tmp_path, ["limpet", "limpet.state"])
    page = (tmp_path / "limpet.html").read_text()
    for name in limpet.__all__:
        if not name.startswith("__"):
            assert f'id="{name}"' in page, f"{name} is not on the package's page"
    assert 'id="TrackerState.save"' in (tmp_path / "limpet/state.html").read_text()


def test_shapes_are_no_italics() -> None:
    pytest.importorskip("pdoc", reason="needs the [docs] extra")
    from api_reference import keep_stars

    assert keep_stars("(B, h*w, C) of ``h*w`` and *all* `a*b`") == r"(B, h\*w, C) of ``h*w`` and *all* `a*b`"
