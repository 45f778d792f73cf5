"""Writes the API reference, one page per module, from the docstrings.

python scripts/api_reference.py [FOLDER]          # docs/api by default
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pdoc
import pdoc.render

import limpet

HERE = Path(__file__).resolve().parents[1]
# Commands are described by --help. A page would repeat their options in Python's words.
LEFT_OUT = ("limpet.cli",)
# Packages of some exporters and engines; litert_torch lives in an environment of its own.
OPTIONAL = ("coremltools", "litert_torch", "ai_edge_litert", "openvino", "onnx", "onnxruntime", "nncf")


def public_modules() -> list[str]:
    """The modules that get a page."""
    public = [name for name in all_modules() if not name.startswith(LEFT_OUT) and "._" not in name]
    return ["limpet", *(name for name in public if lacks(name) is None)]


def all_modules() -> list[str]:
    """Of the package, with those that have no page."""
    return [module.name for module in pkgutil.walk_packages(limpet.__path__, "limpet.")]


@cache
def lacks(module: str) -> str | None:
    """The optional package without which ``module`` cannot be imported, or None where it can be."""
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name in OPTIONAL:
            return error.name
        raise
    return None


def write_pages(folder: Path, modules: list[str]) -> None:
    """Write a page for each module, and a search index."""
    for name in limpet.__all__:  # those that are imported when first asked for are put where pdoc looks
        vars(limpet)[name] = getattr(limpet, name)
    pdoc.render.configure(docformat="google", search=True, show_source=True)
    plain: Callable[[str], str] = pdoc.render.env.filters["to_html"]
    pdoc.render.env.filters["to_html"] = lambda text: plain(keep_stars(text))
    lacking = {name: package for name in all_modules() if (package := lacks(name))}
    for name, package in lacking.items():
        print(f"no page for {name}: it needs {package}")
    # pdoc adds the modules of a package, unless they are excluded
    pdoc.pdoc(*modules, *(f"!{name}" for name in lacking), output_directory=folder)


def keep_stars(text: str) -> str:
    """``(B, h*w, C)`` is a shape, not the beginning of italics; code is left as it is."""
    parts = re.split(r"(```.*?```|``.*?``|`[^`]*`)", text, flags=re.DOTALL)
    return "".join(
        part if part.startswith("`") else re.sub(r"(?<=\w)\*(?=\w)", r"\\*", part) for part in parts
    )


def main() -> None:
    """Write the pages to the folder that was named."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "docs" / "api"
    modules = public_modules()
    write_pages(folder, modules)
    print(f"{len(modules)} pages in {folder}: open {folder / 'index.html'}")


if __name__ == "__main__":
    main()
