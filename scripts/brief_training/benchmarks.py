"""The speed of trackers on the machine at hand, for as long as there is time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from brief_training.clock import say

ROOT = Path(__file__).resolve().parents[2]
LIMPET = [sys.executable, "-c", "from limpet.cli.main import main; main()"]
STREAMS = [sys.executable, str(ROOT / "benchmarks" / "many_videos.py"), "--videos", "1", "16"]
BENCHMARKS: dict[str, list[str]] = {
    "default": [*LIMPET, "bench", "deaot-t-deformable"],
    "default-many-objects": [*LIMPET, "bench", "deaot-t-deformable", "--objects", "30"],
    "deaot-l": [*LIMPET, "bench", "deaot-l"],
    "streams-default": [*STREAMS, "--model", "deaot-t-deformable", "--objects", "3"],
    "streams-many-objects": [*STREAMS, "--model", "deaot-t-deformable", "--objects", "10"],
    "streams-deaot-l": [*STREAMS, "--model", "deaot-l", "--objects", "3"],
    "streams-default-compiled": [*STREAMS, "--model", "deaot-t-deformable", "--objects", "3", "--compiled"],
}
"""In order of importance: those for which no time is left are not run."""


def run_benchmarks(device: str, ends: float, stopped: Callable[[], str]) -> dict[str, bytes]:
    """The output of each benchmark for which there is time, as ``benchmarks/NAME.txt``."""
    found = {}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for name, command in BENCHMARKS.items():
        left = ends - time.monotonic()
        if left < 5 or stopped():
            say(f"no time for the benchmark {name}")
            continue
        try:
            done = subprocess.run(
                [*command, "--device", device], cwd=ROOT, env=environment, timeout=left, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
            text = done.stdout
        except subprocess.TimeoutExpired as error:
            text = f"{error.output or ''}\nnot finished in {left:.0f} s"
        found[f"benchmarks/{name}.txt"] = text.encode()
        say(f"{name}:\n{text}")
    return found
