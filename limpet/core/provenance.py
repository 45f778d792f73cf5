"""Which code made a number."""

from __future__ import annotations

import subprocess
from pathlib import Path

SECONDS = 10


def commit() -> str | None:
    """The commit of the checkout that limpet runs from, with "+ changes" where files differ; None outside of git."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None
    head = _git(folder, "rev-parse", "--short=10", "HEAD")
    if not head:
        return None
    return f"{head} + changes" if _git(folder, "status", "--porcelain", "--", "limpet") else head


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
