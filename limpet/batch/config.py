"""The settings of a batch, and how many workers a machine takes."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from limpet.core.config_fields import check_options, option
from limpet.core.provenance import usable_cores

_WORKER_BYTES = 1_500_000_000
"""What a worker takes, model and frames of full HD included."""


@dataclass(frozen=True)
class BatchConfig:
    """How the jobs of a batch are run.

    >>> BatchConfig(workers=2, time_limit=600).retries
    2

    device: as for ``limpet.load``; with several GPUs each worker has one of them.
    ray: address of a Ray cluster to run on: "auto" for the one that this machine belongs to, "local" to start one here;
        None runs processes on this machine.

    Raises:
        DataError: a value out of its bounds.
    """

    workers: int | None = option(
        None,
        help="Number of jobs at the same time, each in a process with the model loaded.",
        group="Batch",
        min=1,
    )
    threads: int = option(
        1, help="CPU threads per worker; 0 leaves the choice to torch.", group="Batch", min=0
    )
    retries: int = option(
        2,
        help="Tries after the first of a job whose worker died; each continues where it stopped.",
        group="Batch",
        min=0,
    )
    time_limit: float | None = option(
        None,
        help="Seconds that one try of a job may take; a job that takes longer fails.",
        group="Batch",
        above=0,
    )
    memory_limit: float | None = option(
        None,
        help="MB of memory that a worker may take; a job for which it takes more fails.",
        group="Batch",
        above=0,
    )
    ray: str | None = option(
        None,
        help="Run on a Ray cluster: its address, auto for the one that this machine belongs to, or local.",
        group="Batch",
        metavar="ADDRESS",
    )
    device: str = "auto"

    def __post_init__(self) -> None:
        check_options(self)


def devices_of(config: BatchConfig, jobs: int) -> list[str]:
    """The device of each worker on this machine: one worker per group of cores, or per GPU.

    Without a number of workers in ``config``, there are no more than fit into the memory that is free now.

    Args:
        jobs: that are to be done.
    """
    gpus = cuda_devices() if config.device in ("auto", "cuda") else 0
    if gpus:
        count = config.workers or gpus
        return [f"cuda:{number % gpus}" for number in range(max(1, min(count, jobs)))]
    cores = usable_cores()
    fitting = min(cores // (config.threads or cores), max(1, _free_memory() // _WORKER_BYTES))
    return [config.device] * max(1, min(config.workers or fitting, jobs))


def cuda_devices() -> int:
    """How many GPUs CUDA sees. It asks the driver: importing torch would take a GB of memory and seconds."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    except (OSError, AttributeError):
        pass
    return 0


def _free_memory() -> int:
    """Bytes of memory that are free or can be freed; very many where the system does not tell."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) * 1024
    return 1 << 60
