"""How every script here begins: threads are set, and the machine is told; see limpet/bench/machine.py."""

from __future__ import annotations

from typing import Any

import cv2
import torch

from limpet.bench.machine import describe, in_words


def begin(threads: int) -> dict[str, Any]:
    """Set the threads of torch and OpenCV, print the machine, and return its description."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    machine = describe() | {"threads": threads}
    print("\n".join(in_words(machine)))
    return machine
