"""All scripts in benchmarks/ and scripts/ can be started: what they import is there under the names they use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMPORT = "import sys, importlib; sys.path.insert(0, sys.argv[1]); [importlib.import_module(n) for n in sys.argv[2:]]"
OPTIONAL = {"api_reference": "pdoc", "make_demo_clip": "skimage"}


@pytest.mark.parametrize("folder", ["benchmarks", "scripts"])
def test_scripts_import_what_there_is(folder: str) -> None:
    names = sorted(path.stem for path in (ROOT / folder).glob("*.py"))
    assert len(names) > 3
    for name in set(names) & set(OPTIONAL):
        pytest.importorskip(OPTIONAL[name])
    command = [sys.executable, "-c", IMPORT, str(ROOT / folder), *names]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
