"""The machine that a measurement is taken on: what it is, what else it is doing, and how much memory this process has.

MB are 10^6 bytes.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from limpet.core.provenance import VERSION, commit, cpu_info, cpu_model

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "bf16")
"""The instruction sets that decide how fast matrices are multiplied."""
PACKAGES = ("torch", "numpy", "opencv-python-headless", "av", "onnxruntime", "openvino", "ai-edge-litert")
THREAD_SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
"""Environment variables that change how threads wait for one another."""
STAT = Path("/proc/stat")
ENOUGH_TO_MATTER = 0.2
"""Cores that other programs may keep busy before there is a warning."""


@dataclass(frozen=True)
class MachineFacts:
    """The machine, and the software on it.

    Attributes:
        cpu: name of the processor. flags: those of FLAGS that it has.
        cores: their number; None where the system does not report it.
        system: the operating system and its version.
        load: the load of the last minute; None where the system does not report it.
        cores_used_by_others: how many cores other programs kept busy for half a second before the measurement.
        environment: those of THREAD_SETTINGS that are set.
        python, limpet: their versions. packages: versions of those of PACKAGES that are installed.
        commit: of the checkout that limpet runs from; None outside of git.
    """

    cpu: str
    flags: tuple[str, ...]
    cores: int | None
    system: str
    load: float | None
    cores_used_by_others: float | None
    environment: dict[str, str]
    python: str
    limpet: str
    packages: dict[str, str]
    commit: str | None


def describe_machine() -> MachineFacts:
    """The facts for the head of a report; call it before the measurement, so that the load is that of others."""
    others = watch_others()
    return MachineFacts(
        cpu=cpu_model(),
        flags=cpu_flags(),
        cores=os.cpu_count(),
        system=f"{platform.system()} {platform.release()}",
        load=load_average(),
        cores_used_by_others=None if others is None else round(others, 2),
        environment={name: os.environ[name] for name in THREAD_SETTINGS if name in os.environ},
        python=platform.python_version(),
        limpet=VERSION,
        packages={name: version for name in PACKAGES if (version := version_of(name))},
        commit=commit(),
    )


def machine_lines(machine: MachineFacts) -> list[str]:
    """A line about the processor, one about the software, and a warning where other programs were computing."""
    versions = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    lines = [
        f"{machine.cpu} ({' '.join(machine.flags)}), {machine.cores} cores",
        f"limpet {machine.limpet}, commit {machine.commit}, Python {machine.python}, {versions}",
    ]
    warning = busy_warning(machine.cores_used_by_others, machine.load)
    return [*lines, warning] if warning else lines


def cpu_flags() -> tuple[str, ...]:
    """Those of FLAGS that the processor has, as far as the system reports them."""
    present = set(" ".join([*cpu_info("flags"), *cpu_info("Features")]).split())
    return tuple(flag for flag in FLAGS if flag in present)


def version_of(package: str) -> str | None:
    """The version that is installed, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@dataclass(frozen=True)
class CpuUsage:
    """Seconds by the clock, CPU seconds of this process, and CPU seconds of all processes (None where not known)."""

    clock: float
    own: float
    all: float | None


def cpu_usage() -> CpuUsage:
    """The usage up to now, for ``cores_used_by_others``."""
    return CpuUsage(time.perf_counter(), time.process_time(), _all_seconds())


def cores_used_by_others(since: CpuUsage, until: CpuUsage) -> float | None:
    """How many cores other programs kept busy on average between two moments; None where it is not known."""
    seconds = until.clock - since.clock
    if since.all is None or until.all is None or seconds <= 0:
        return None
    return max(0.0, (until.all - since.all - (until.own - since.own)) / seconds)


def watch_others(seconds: float = 0.5) -> float | None:
    """``cores_used_by_others`` while this program sleeps."""
    before = cpu_usage()
    time.sleep(seconds)
    return cores_used_by_others(before, cpu_usage())


def load_average() -> float | None:
    """Programs that wanted a processor during the last minute, this one too; None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def busy_warning(others: float | None, load_before: float | None) -> str | None:
    """A sentence where other programs take enough of the machine to matter, or None."""
    if others is None:
        busy = load_before is not None and load_before > 0.5
        what = f"the load was {load_before}"
    else:
        busy, what = others > ENOUGH_TO_MATTER, f"they used {others:.1f} cores"
    if not busy:
        return None
    return (
        f"other programs are computing ({what}): trust CPU time and ratios, not the clock, and set GOMP_SPINCOUNT=0, "
        f"or threads that wait hinder those that work"
    )


def _all_seconds() -> float | None:
    """CPU seconds that all processes have used, without idling and waiting for disks."""
    if not STAT.is_file():
        return None
    first = STAT.read_text().partition("\n")[0].split()
    user, nice, system, _, _, irq, soft_irq, steal = (int(text) for text in first[1:9])
    return (user + nice + system + irq + soft_irq + steal) / os.sysconf("SC_CLK_TCK")


def resident_mb() -> float:
    """The memory of this process that is in RAM now; its peak where only that is known."""
    path = Path("/proc/self/statm")
    if not path.is_file():
        return peak_mb()
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_mb(process: int | None = None) -> float:
    """The most that ``resident_mb`` has been since the program began; 0 where the system does not report it.

    Args:
        process: the id of another process, on Linux alone; None: this one.
    """
    status = Path(f"/proc/{process or 'self'}/status")
    # Not getrusage: on Linux a process takes over the peak of the one that started it.
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    if process is not None:
        return 0.0
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
