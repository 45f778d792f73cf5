"""The roofline of this machine: its peak rates of matrix products, convolutions and copies of memory.

They are measured with torch and as many threads as it has, after a warm-up; the figure is the median of several.
Williams, Waterman and Patterson, "Roofline", Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SIDE = 2048
"""Rows and columns of the matrices: large enough that their products do not wait for memory."""
CHANNELS, CELLS = 256, 64
"""Channels, and height and width, of the 3x3 convolution, which is as large as a decoder's."""
COPY_BYTES = 256 << 20
"""More than caches hold."""
REPEATS = 5
CALLS_ON_A_GPU = 16
"""How many calls are timed at once there: one product would be over before the clock is read."""


@dataclass(frozen=True)
class RooflinePeaks:
    """GFLOP/s of matrix products and of convolutions by precision, and GB/s of a copy, read and written."""

    product: dict[str, float]
    convolution: dict[str, float]
    copy: float

    def compute(self, precision: str) -> float | None:
        """The larger of both in a precision; None where none was measured (int8)."""
        found = [table[precision] for table in (self.product, self.convolution) if precision in table]
        return max(found) if found else None


def measure_peaks(device: torch.device | str = "cpu") -> RooflinePeaks:
    """Measure ``device``, which takes about three seconds on two cores that nobody else uses."""
    import torch

    timer = _Timer(torch.device(device))
    with torch.inference_mode():
        product = {name: _product(timer, getattr(torch, kind)) for name, kind in _TYPES.items()}
        convolution = {name: _convolution(timer, getattr(torch, kind)) for name, kind in _TYPES.items()}
        source = torch.ones(COPY_BYTES // 4, device=device)
        target = torch.zeros_like(source)
        copy = 2e-9 * COPY_BYTES / timer.seconds(lambda: target.copy_(source))
    return RooflinePeaks(product, convolution, copy)


_TYPES = {"fp32": "float32", "bf16": "bfloat16"}


def _product(timer: _Timer, dtype: torch.dtype) -> float:
    import torch

    a, b = (torch.randn(SIDE, SIDE, device=timer.device).to(dtype) for _ in range(2))
    return 2e-9 * SIDE**3 / timer.seconds(lambda: a @ b)


def _convolution(timer: _Timer, dtype: torch.dtype) -> float:
    import torch

    image = torch.randn(1, CHANNELS, CELLS, CELLS, device=timer.device).to(dtype)
    image = image.to(memory_format=torch.channels_last)
    layer = torch.nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1).to(timer.device, dtype)
    layer = layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return 2e-9 * CELLS**2 * 9 * CHANNELS**2 / timer.seconds(lambda: layer(image))


class _Timer:
    """Times a piece of work on a device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._calls = CALLS_ON_A_GPU if device.type == "cuda" else 1

    def seconds(self, work: Callable[[], object]) -> float:
        """The median time of one call, after a warm-up."""
        self._once(work)
        return median(self._once(work) for _ in range(REPEATS))

    def _once(self, work: Callable[[], object]) -> float:
        import torch

        before = time.perf_counter()
        for _ in range(self._calls):
            work()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return (time.perf_counter() - before) / self._calls
