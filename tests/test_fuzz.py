"""The command that fuzzes, for two seconds. It needs atheris, which is made for few systems."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_a_short_run_counts_its_inputs_and_finds_nothing(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="pip install -e '.[fuzz]'")
    command = [
        sys.executable,
        "-m",
        "fuzz",
        "--minutes",
        "0.01",
        "--kind",
        "calibration",
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert row["kind"] == "calibration" and row["inputs"] > 100 and row["fault"] is None
    assert f"{row['inputs']} inputs, 0 faults" in done.stdout
