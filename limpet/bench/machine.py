"""What a measurement was taken on: processor, cores, system, versions, commit, load."""

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from limpet import __version__
from limpet.core.provenance import commit

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "bf16")
"""The instruction sets that decide how fast matrices are multiplied."""
PACKAGES = ("torch", "numpy", "opencv-python-headless", "av", "onnxruntime", "openvino", "ai-edge-litert")
WAITING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
"""Settings of the environment that change how threads wait for one another."""


def describe() -> dict[str, Any]:
    """Facts for the head of a report; call it before the measurement, so that the load is that of others.

    ``cores_of_others``: how many cores other programs kept busy during half a second before the measurement.
    """
    others = watch_others()
    return {
        "cpu": cpu_model(),
        "flags": cpu_flags(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "load": load(),
        "cores_of_others": None if others is None else round(others, 2),
        "environment": {name: os.environ[name] for name in WAITING if name in os.environ},
        "python": platform.python_version(),
        "limpet": __version__,
        "packages": {name: version for name in PACKAGES if (version := version_of(name))},
        "commit": commit(),
    }


def in_words(machine: dict[str, Any]) -> list[str]:
    """A line on the processor, one on the software, and a warning where other programs were computing."""
    flags = " ".join(machine["flags"])
    versions = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    lines = [
        f"{machine['cpu']} ({flags}), {machine['cores']} cores",
        f"limpet {machine['limpet']}, commit {machine['commit']}, Python {machine['python']}, {versions}",
    ]
    told = warning(machine["cores_of_others"], machine["load"])
    return [*lines, told] if told else lines


def cpu_model() -> str:
    """The processor's name as the system gives it."""
    names = cpu_info("model name")
    return names[0] if names else platform.processor() or platform.machine()


def cpu_flags() -> list[str]:
    """Those of FLAGS that the processor has, as far as the system tells."""
    present = set(" ".join([*cpu_info("flags"), *cpu_info("Features")]).split())
    return [flag for flag in FLAGS if flag in present]


def cpu_info(field: str) -> list[str]:
    """Values of a field in /proc/cpuinfo, one a core; none on other systems."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    return [line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == field]


def version_of(package: str) -> str | None:
    """The version that is installed, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


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
