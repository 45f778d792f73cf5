"""How every script here begins: threads are set, and the machine is described; see limpet/bench/machine.py."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import cv2
import torch

from limpet.bench.machine import describe_machine, machine_lines


def begin(threads: int) -> dict[str, Any]:
    """Set the threads of torch and OpenCV, print the machine, and return its description for a JSON file."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    machine = describe_machine()
    print("\n".join(machine_lines(machine)))
    return asdict(machine) | {"threads": threads}
