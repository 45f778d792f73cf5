"""What a measurement was taken on: processor, threads, versions, commit, load, memory."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import torch

# the instruction sets that decide how fast matrices are multiplied
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "bf16")


def describe() -> dict[str, Any]:
    """Facts for the head of a report; call it before the measurement, so that the load is that of others."""
    return {
        "cpu": cpu_model(),
        "flags": cpu_flags(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": commit(),
    }


def begin(threads: int) -> dict[str, Any]:
    """Set the threads of torch and OpenCV, print the machine, and return its description."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    machine = describe()
    print_machine(machine)
    return machine


def print_machine(machine: dict[str, Any]) -> None:
    print(
        f"{machine['cpu']} ({' '.join(machine['flags'])}), {machine['cores']} cores, {machine['threads']} threads"
    )
    print(f"torch {machine['torch']}, Python {machine['python']}, commit {machine['commit']}")
    if machine["load"] > 0.5:
        print(
            f"NOTE: the machine was busy (load {machine['load']}); trust CPU time and ratios, not the clock,"
        )
        print("and set GOMP_SPINCOUNT=0, or threads that wait hinder those that work")


def cpu_model() -> str:
    """The processor's name as the system gives it."""
    return next((line for line in cpu_info("model name")), platform.processor() or platform.machine())


def cpu_flags() -> list[str]:
    """Those of FLAGS that the processor has, as far as the system tells."""
    present = set(" ".join([*cpu_info("flags"), *cpu_info("Features")]).split())
    return [flag for flag in FLAGS if flag in present]


def cpu_info(field: str) -> list[str]:
    """Values of a field in /proc/cpuinfo, one a core; none on other systems."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    return [line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == field]


def commit() -> str:
    """The short hash of the checkout, with + when files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    here = Path(__file__).parent
    found = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def resident_mb() -> float:
    """Memory of this process that is in RAM now, in MB (10^6 bytes); its peak where only that is known."""
    path = Path("/proc/self/statm")
    if not path.is_file():
        return peak_mb()
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_mb() -> float:
    """The most that resident_mb has been."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
