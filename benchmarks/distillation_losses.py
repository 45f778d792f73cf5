"""What do the losses of distillation cost at the crop of the paper?

    python benchmarks/distillation_losses.py                                  # 465 x 465, batches of 4 and 16
    python benchmarks/distillation_losses.py --batches 2 --size 257 --rounds 9
    python benchmarks/distillation_losses.py --device cuda

A crop of 465 pixels has 30 x 30 tokens. Attention maps have as many queries; the student's keys are every token
(g = 1) or a quarter of them (g = 2), the teacher's come from one frame or from two. Logits are compared at full size,
with four slots. Each row is one loss, forward and backward: milliseconds by the clock (median, fastest and slowest) and
of CPU (median), and the peak memory on top of the inputs. On the CPU that is resident memory, which only Linux reports.
"cka, plain" leaves the gradient of the definition to autograd, to show what the gradient that limpet writes out saves.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from machine import begin
from torch import Tensor

from limpet.distillation.losses import (
    HintLoss,
    ProjectorEnsembleLoss,
    cka_loss,
    dist_losses,
    kl_attention_loss,
    kl_logits_loss,
    representation_loss,
)

SLOTS = 4
STUDENT_CHANNELS, TEACHER_CHANNELS = 256, 256  # of the propagated tokens, in DeAOT-T and in DeAOT-L


class Case(NamedTuple):
    """One row: a loss of the student's tensor, given the rest."""

    name: str
    student: Tensor
    loss: Callable[[Tensor], Tensor]


def attention(batch: int, queries: int, keys: int, device: str) -> Tensor:
    return torch.softmax(2 * torch.randn(batch, queries, keys, device=device), dim=-1)


def plain_cka_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """The definition, for autograd."""
    s, t = student - student.mean(dim=1, keepdim=True), teacher - teacher.mean(dim=1, keepdim=True)
    cross, own, other = (a.transpose(1, 2) @ b for a, b in ((s, t), (s, s), (t, t)))
    norms = own.square().sum(dim=(1, 2)).sqrt() * other.square().sum(dim=(1, 2)).sqrt()
    return 1 - cross.square().sum(dim=(1, 2)) / norms


def attention_cases(batch: int, side: int, device: str) -> Iterator[Case]:
    tokens = side * side
    for g in (1, 2):
        grid = (math.ceil(side / g), math.ceil(side / g))
        student = attention(batch, tokens, grid[0] * grid[1], device)
        for frames in (1, 2):
            teacher = attention(batch, tokens, frames * tokens, device)
            keys = f"g = {g}, teacher's frames {frames}"
            yield Case(f"cka, {keys}", student, lambda s, t=teacher: cka_loss(s, t))
            yield Case(f"cka, plain, {keys}", student, lambda s, t=teacher: plain_cka_loss(s, t))
            yield Case(
                f"kl of attention, {keys}",
                student,
                lambda s, t=teacher, grid=grid: kl_attention_loss(s, t, grid, (side, side)),
            )


def score_cases(batch: int, size: int, device: str) -> Iterator[Case]:
    student, teacher = (torch.randn(batch, SLOTS, size, size, device=device) for _ in range(2))
    yield Case("inter and intra", student, lambda s: torch.stack(dist_losses(s, teacher)))
    yield Case("kl of logits", student, lambda s: kl_logits_loss(s, teacher, 2.0))


def feature_cases(batch: int, side: int, device: str) -> Iterator[Case]:
    student = torch.randn(batch, STUDENT_CHANNELS, side, side, device=device)
    teacher = torch.randn(batch, TEACHER_CHANNELS, side, side, device=device)
    labels = torch.randint(0, SLOTS, (batch, side, side), device=device)
    for name, loss in (("hints", HintLoss), ("projectors", ProjectorEnsembleLoss)):
        module = loss(STUDENT_CHANNELS, TEACHER_CHANNELS).to(device)
        yield Case(name, student, lambda s, module=module: module(s, teacher))
    yield Case("representation, all cells", student, lambda s: representation_loss(s, teacher, labels, 0.5))


def reset_peak(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
    elif Path("/proc/self/clear_refs").is_file():
        if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
            trim(0)  # what was freed goes back to the system, or new tensors would hide in it
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew at what is resident now


def memory(device: str, field: str) -> float:
    """MB in use now ("VmRSS") or the most since the reset ("VmHWM"); NaN where the system does not report it."""
    if device.startswith("cuda"):
        peak = field == "VmHWM"
        found = torch.cuda.max_memory_allocated(device) if peak else torch.cuda.memory_allocated(device)
        return float(found) / 1e6
    status = Path("/proc/self/status")
    if not status.is_file():
        return float("nan")
    return (
        next(int(x.split()[1]) for x in status.read_text().splitlines() if x.startswith(field)) * 1024 / 1e6
    )


def run_once(case: Case, device: str) -> tuple[float, float, float]:
    """Milliseconds by the clock and of CPU, and MB, of one forward and backward pass."""
    student = case.student.detach().requires_grad_()
    reset_peak(device)
    before, start, cpu = memory(device, "VmRSS"), time.perf_counter(), time.process_time()
    case.loss(student).sum().backward()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    taken = (time.perf_counter() - start) * 1e3, (time.process_time() - cpu) * 1e3
    return *taken, memory(device, "VmHWM") - before


def measure(case: Case, device: str, rounds: int) -> dict[str, Any]:
    figures = np.array([run_once(case, device) for _ in range(rounds + 1)][1:])  # the first is the warm-up
    fastest, median, slowest = np.percentile(figures[:, 0], [0, 50, 100])
    return {
        "name": case.name,
        "median_ms": median,
        "fastest_ms": fastest,
        "slowest_ms": slowest,
        "cpu_ms": float(np.median(figures[:, 1])),
        "peak_mb": float(figures[:, 2].max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, nargs="+", default=(4, 16))
    parser.add_argument("--size", type=int, default=465, help="pixels of the square crop")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write all figures to this file as well")
    options = parser.parse_args()
    machine = begin(options.threads)
    side, rows = math.ceil(options.size / 16), []
    for batch in options.batches:
        print(f"\nbatch {batch}, {options.size} pixels, {side} x {side} tokens, {options.rounds} rounds")
        for cases, extent in ((attention_cases, side), (score_cases, options.size), (feature_cases, side)):
            for case in cases(batch, extent, options.device):
                row = measure(case, options.device, options.rounds)
                rows.append({"batch": batch, **row})
                spread = f"({row['fastest_ms']:.0f} to {row['slowest_ms']:.0f})"
                print(
                    f"{row['name']:42} {row['median_ms']:8.1f} ms  {spread:16}"
                    f" CPU {row['cpu_ms']:8.1f} ms {row['peak_mb']:8.1f} MB",
                    flush=True,
                )
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
