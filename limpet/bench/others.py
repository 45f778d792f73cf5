"""How much of the machine other programs take: what makes the clock untrustworthy."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
ENOUGH_TO_MATTER = 0.2
"""Cores that others may keep busy before a warning."""


@dataclass(frozen=True)
class Moment:
    """Seconds by the clock, CPU seconds of this process, and of all processes (None where the system does not tell)."""

    clock: float
    own: float
    all: float | None


def now() -> Moment:
    """To be given to ``cores_of_others`` later."""
    return Moment(time.perf_counter(), time.process_time(), _all_seconds())


def cores_of_others(since: Moment, until: Moment) -> float | None:
    """How many cores other programs kept busy on the average between two moments; None where it is not known."""
    seconds = until.clock - since.clock
    if since.all is None or until.all is None or seconds <= 0:
        return None
    return max(0.0, (until.all - since.all - (until.own - since.own)) / seconds)


def watch_others(seconds: float = 0.5) -> float | None:
    """``cores_of_others`` while this program sleeps."""
    before = now()
    time.sleep(seconds)
    return cores_of_others(before, now())


def load() -> float | None:
    """Programs that wanted a processor during the last minute, this one too; None where the system does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def warning(others: float | None, load_before: float | None) -> str | None:
    """A sentence where other programs take enough of the machine to matter, or None."""
    if others is None:
        busy = load_before is not None and load_before > 0.5
        what = f"the load was {load_before}"
    else:
        busy, what = others > ENOUGH_TO_MATTER, f"others took {others:.1f} cores"
    if not busy:
        return None
    return (
        f"other programs are computing ({what}): trust CPU time and ratios, not the clock, and set GOMP_SPINCOUNT=0, "
        f"or threads that wait hinder those that work"
    )


def _all_seconds() -> float | None:
    """CPU seconds that all processes have taken, without idling and waiting for disks."""
    if not STAT.is_file():
        return None
    first = STAT.read_text().partition("\n")[0].split()
    user, nice, system, _, _, irq, soft_irq, steal = (int(text) for text in first[1:9])
    return (user + nice + system + irq + soft_irq + steal) / os.sysconf("SC_CLK_TCK")
