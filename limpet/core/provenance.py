"""Which version and commit of the code made a number, and on which machine."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SECONDS = 10
CPU_INFO = Path("/proc/cpuinfo")

try:
    VERSION = version("limpet")
except PackageNotFoundError:  # run from a checkout that is not installed
    VERSION = "0+unknown"


def commit() -> str | None:
    """The commit of the checkout that limpet runs from, with "+ changes" where files differ; None outside of git."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None
    head = _git(folder, "rev-parse", "--short=10", "HEAD")
    if not head:
        return None
    return f"{head} + changes" if _git(folder, "status", "--porcelain", "--", "limpet") else head


def command_line() -> str:
    """The running command, as a shell takes it: ``limpet ...``, or ``python`` and the script that calls limpet."""
    program, *words = sys.argv
    name = Path(program).stem
    return shlex.join(
        ["limpet", *words] if name in ("limpet", "__main__") else ["python", Path(program).name, *words]
    )


def machine() -> str:
    """Processor, number of cores and operating system."""
    return f"{cpu_model()}, {os.cpu_count()} cores, {platform.system()}"


def usable_cores() -> int:
    """How many cores this process may use, which can be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_model() -> str:
    """The processor's name as the system gives it."""
    names = cpu_info("model name")
    return names[0] if names else platform.processor() or platform.machine()


def cpu_info(field: str) -> list[str]:
    """The values of a field in /proc/cpuinfo, one per core; none on other systems."""
    text = CPU_INFO.read_text(encoding="utf-8", errors="replace") if CPU_INFO.is_file() else ""
    parts = [line.partition(":") for line in text.splitlines()]
    return [value.strip() for name, _, value in parts if name.strip() == field]


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
