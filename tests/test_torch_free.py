"""What runs where torch is not installed: the core, exported trackers, reading, results, and the command line."""

from __future__ import annotations

import subprocess
import sys

import pytest

IMPORT_ALL = """
import importlib, pkgutil, sys
sys.modules["torch"] = None  # any import of it fails
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    for found in pkgutil.iter_modules(getattr(module, "__path__", []), f"{name}."):
        if not found.name.endswith("_engine"):  # each needs a runtime of its own, imported when a bundle is opened
            importlib.import_module(found.name)
            print(found.name)
"""


@pytest.mark.parametrize(
    ("names", "among_them"),
    [
        (["limpet.core"], "limpet.core.errors"),
        (["limpet.runtime"], "limpet.runtime.exported_tracker"),
        (["limpet.exchange"], "limpet.exchange.youtube_vis"),
        (["limpet.batch"], "limpet.batch.run_batch"),
        (["limpet.video", "limpet.visual", "limpet.results"], "limpet.results.result_folder"),
        (["limpet.project", "limpet.segment", "limpet.serve"], "limpet.serve.worker"),
    ],
)
def test_every_module_is_imported_without_torch(names: list[str], among_them: str) -> None:
    result = subprocess.run([sys.executable, "-c", IMPORT_ALL, *names], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-800:]
    assert among_them in result.stdout


@pytest.mark.parametrize(
    "name", ["limpet", "limpet.tracking.track_video", "limpet.cli.main", "limpet.registry"]
)
def test_tracking_and_the_command_line_are_imported_without_torch(name: str) -> None:
    code = f"import sys; sys.modules['torch'] = None; import {name}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-800:]
