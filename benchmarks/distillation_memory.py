"""How much memory does a step of distillation take, and what do its attention losses cost?

    python benchmarks/distillation_memory.py                                     # the paper's crop and batch, counted
    python benchmarks/distillation_memory.py --teacher deaot-l --size 257 --frames 3 --batches 1 2 --for-batch 2

What is counted is the largest number of bytes in tensors that are alive at once: the weights of both networks, their
average, gradients, the optimizer's two moments and every intermediate result, under bf16 autocast as on a GPU. A step
is run with two small batches; the memory of one clip is their difference, so that the batch of the paper need not fit
here. The kernels' own workspace and the allocator's rounding come on top: expect 5 to 15 % more on a GPU. Seconds are
CPU time of all threads, the smallest of a few rounds, so that other work on the machine matters little (set
GOMP_SPINCOUNT=0).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import NamedTuple

import torch
from machine import begin

from limpet.distillation.config import DistillationConfig
from limpet.distillation.objective import OnlineDistillation
from limpet.models import build_model
from limpet.models.inference import for_inference
from limpet.registry import find
from limpet.studies.footprint import Tally
from limpet.training.rollout import RolloutConfig

MOMENTS_AND_AVERAGE = 3  # AdamW's two and the averaged weights, beside weights and gradients


class Step(NamedTuple):
    """The most bytes that were alive in one step, and its CPU seconds."""

    nbytes: int
    seconds: float


def run_step(options: argparse.Namespace, batch: int, lesson: DistillationConfig) -> Step:
    """Forward and backward of one batch of noise with two objects."""
    torch.manual_seed(0)
    student = build_model(find(options.student).config()).train()
    teacher = for_inference(build_model(find(options.teacher).config()), torch.device("cpu"), "bf16")
    module = OnlineDistillation(student, teacher, lesson)
    images = torch.randn(options.frames, batch, 3, options.size, options.size)
    masks = torch.zeros(options.frames, batch, options.size, options.size, dtype=torch.int64)
    masks[:, :, 50:150, 50:150], masks[:, :, 150:200, 80:200] = 1, 2
    slots = torch.arange(student.config.max_objects + 1).expand(batch, -1)
    config = RolloutConfig(own_predictions=True, gradient_checkpointing=options.gradient_checkpointing)
    moments = [torch.empty_like(p) for p in student.parameters() for _ in range(MOMENTS_AND_AVERAGE)]
    tally = Tally([*student.parameters(), *student.buffers(), *teacher.parameters(), *moments])
    start = time.process_time()
    with tally:
        with torch.autocast("cpu", torch.bfloat16):
            result = module(images, masks, [2] * batch, slots, config)
        result.loss.backward()
    return Step(tally.peak, time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--teacher", default="r50-deaot-l")
    parser.add_argument("--student", default="deaot-t-deformable")
    parser.add_argument("--size", type=int, default=465)
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument(
        "--batches", type=int, nargs=2, default=[1, 2], help="the two batch sizes that are run"
    )
    parser.add_argument("--for-batch", type=int, default=16, help="the batch size that is computed from them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gradient-checkpointing", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    begin(options.threads)
    full = DistillationConfig()
    bare = replace(full, loss=replace(full.loss, attention="none"))
    few, many = options.batches
    lessons = {"all losses": full, "without attention losses": bare}
    small = {name: run_step(options, few, lesson) for name, lesson in lessons.items()}
    large = {name: [] for name in lessons}  # type: dict[str, list[Step]]
    for _ in range(options.rounds):
        for name, lesson in lessons.items():
            large[name].append(run_step(options, many, lesson))
    for name, rounds in large.items():
        most, seconds = rounds[0].nbytes, min(step.seconds for step in rounds)
        clip = (most - small[name].nbytes) / (many - few)
        total = small[name].nbytes + clip * (options.for_batch - few)
        print(
            f"{name}: {small[name].nbytes / 1e9:.2f} GB at batch {few}, {most / 1e9:.2f} at {many}, "
            f"{total / 1e9:.1f} GB at {options.for_batch}; {seconds:.2f} CPU seconds a step at {many}"
        )


if __name__ == "__main__":
    main()
