"""Writes what limpet is built from, as it is installed here: an SBOM in the format CycloneDX 1.5.

    python scripts/sbom.py sbom.json

Only the metadata of installed packages is read, of limpet's own requirements and of theirs in turn.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from limpet.core.files import atomic_path
from limpet.core.provenance import VERSION


def licence_of(package: metadata.Distribution) -> str:
    """As the package states it: an SPDX expression, the classifiers, or the first line of its text."""
    facts = package.metadata
    classifiers = [
        line.split(" :: ")[-1] for line in facts.get_all("Classifier") or [] if line.startswith("License ::")
    ]
    stated = (facts.get("License") or "").strip().splitlines()
    return (
        facts.get("License-Expression") or "; ".join(classifiers) or (stated[0] if stated else "not stated")
    )


def packages(name: str = "limpet", extras: bool = True) -> Iterator[metadata.Distribution]:
    """The installed packages that ``name`` needs, and those that they need, each once, by name."""
    waiting, found = [name], {}
    while waiting:
        each = _plain(waiting.pop())
        if each in found:
            continue
        try:
            found[each] = metadata.distribution(each)
        except metadata.PackageNotFoundError:
            continue
        for requirement in found[each].requires or []:
            marker = requirement.partition(";")[2]
            if "extra ==" not in marker or (extras and each == name):
                waiting.append(re.split(r"[\s\[<>=!~;(]", requirement.strip(), maxsplit=1)[0])
    return (found[each] for each in sorted(found) if each != name)


def sbom() -> dict[str, Any]:
    """The whole list."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "library", "name": "limpet", "version": VERSION}},
        "components": [
            {
                "type": "library",
                "name": _plain(package.metadata["Name"]),
                "version": package.version,
                "purl": f"pkg:pypi/{_plain(package.metadata['Name'])}@{package.version}",
                "licenses": [{"license": {"name": licence_of(package)}}],
            }
            for package in packages()
        ],
    }


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("expected the name of the file to write: python scripts/sbom.py sbom.json")
    with atomic_path(Path(sys.argv[1])) as temporary:
        temporary.write_text(json.dumps(sbom(), indent=1) + "\n", encoding="utf-8")
