"""Memory of this process, in MB (10^6 bytes)."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def resident_mb() -> float:
    """What is in RAM now; the peak where only that is known."""
    path = Path("/proc/self/statm")
    if not path.is_file():
        return peak_mb()
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_mb() -> float:
    """The most that ``resident_mb`` has been since the program began; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    # Not getrusage: on Linux a process takes over the peak of the one that started it.
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
