"""What a measurement was taken on: processor, cores, system, versions, commit, load."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from limpet import __version__
from limpet.bench.others import load, warning, watch_others
from limpet.studies.provenance import commit

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
