"""What a step of MobileVOS's students costs: by the length of the queue, and by the number of objects beside DeAOT.

    python benchmarks/mobilevos_speed.py                                   # in torch, both tables; a quarter of an hour
    python benchmarks/mobilevos_speed.py --runtime openvino --only queue   # exported first, which takes minutes
    python benchmarks/mobilevos_speed.py --queues 1 2 --sizes 384x384 --objects 1 2 --frames 4     # a short try

Random weights; all trackers of a table take turns frame by frame. The first table repeats the latencies of fig. 4 of
the paper, which has 32 ms for a queue of two on a Galaxy S22's GPU and does not say for which size. A queue of 1 is the
previous frame, one of 2 the first frame as well, a longer one the newest frames and the first. Bundles have queues of 2
and more (``limpet export --ring N-1 --gap 1 --memory ring``).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from machine import begin
from turns import StepTimes, step_times

from limpet.bench.bench_clip import synthetic_clip
from limpet.core.sizes import parse_size
from limpet.export.bundle import ExportPlan, describe
from limpet.export.program import make_programs
from limpet.export.writer import load_writer
from limpet.models import build_model
from limpet.models.fixed_size import FixedConfig
from limpet.registry import find
from limpet.runtime.exported_tracker import load_exported
from limpet.studies.queue import tracker_with_queue
from limpet.tracking.memory_policies import Ring
from limpet.tracking.tracker import Tracker

STUDENT = "mobilevos-mobilenet-v2-small"
BESIDE = (STUDENT, "mobilevos-mobilenet-v2", "mobilevos-resnet-18", "deaot-t", "deaot-nano")
CPU = torch.device("cpu")


def in_torch(name: str, frames: int | None = None, precision: Any = "auto") -> Tracker:
    """A tracker with random weights that reads a queue of so many frames; None: as the model's own policy has it."""
    torch.manual_seed(0)
    model = build_model(find(name).config())
    options: dict[str, Any] = {"precision": precision, "max_size": None, "name": name}
    if frames == 1:
        return tracker_with_queue(model, "previous", CPU, **options)
    memory = None if frames is None else "first" if frames == 2 else Ring(gap=1, max_frames=frames - 1)
    return Tracker(model, CPU, memory=memory, **options)


def as_bundle(name: str, frames: int, runtime: str, size: tuple[int, int], threads: int, folder: Path) -> Any:
    """The same tracker, exported for one object and opened again. frames: 2 or more."""
    tracker = in_torch(name, frames, precision="fp32")
    network = tracker.sizes.network_size(*size)
    ring = 0 if frames == 2 else frames - 1
    programs = make_programs(tracker.model, FixedConfig(size, network, objects=1, ring=ring, gap=1))
    folder.mkdir()
    written = load_writer(runtime)(programs, folder, (plan := ExportPlan(name, runtime, size)).options)
    describe(plan, tracker, programs, written, folder).write(folder)
    return load_exported(folder, threads=threads)


def queue_table(options: argparse.Namespace, size: tuple[int, int]) -> dict[int, StepTimes]:
    """Times by the length of the queue, with one object."""
    clip, mask = synthetic_clip(size, 1, max(options.queues) + options.frames + 1)
    with tempfile.TemporaryDirectory(prefix="limpet-queues-") as folder:
        trackers = {}
        for frames in options.queues:
            if options.runtime == "torch":
                trackers[frames] = in_torch(options.model, frames, options.precision)
            elif frames > 1:
                place = Path(folder) / str(frames)
                trackers[frames] = as_bundle(
                    options.model, frames, options.runtime, size, options.threads, place
                )
        return step_times(trackers, clip, dict.fromkeys(trackers, mask), max(options.queues))


def object_table(options: argparse.Namespace, size: tuple[int, int]) -> dict[tuple[str, int], StepTimes]:
    """Times by model and number of objects, in torch."""
    trackers, masks = {}, {}
    clip, _ = synthetic_clip(size, max(options.objects), options.frames + 3)
    for name in options.beside:
        for objects in options.objects:
            trackers[name, objects] = in_torch(name, precision=options.precision)
            masks[name, objects] = synthetic_clip(size, objects, 1)[1]
    return step_times(trackers, clip, masks, warm_up=2)


def main() -> None:
    options = parse()
    report: dict[str, Any] = {"machine": begin(options.threads), "runtime": options.runtime}
    for text in options.sizes if options.only in (None, "queue") else []:
        found = queue_table(options, parse_size(text))
        print(f"\n{options.model}, {text}, one object, {options.runtime}")
        print("| queue | ms | CPU ms | state, MB |\n|---|---|---|---|")
        for frames, times in found.items():
            print(f"| {frames} | {times.clock:.0f} | {times.cpu:.0f} | {times.state_mb:.1f} |", flush=True)
        report[f"queue, {text}"] = {str(frames): times._asdict() for frames, times in found.items()}
    if options.only in (None, "objects"):
        size = options.sizes[0]
        times_of = object_table(options, parse_size(size))
        print(f"\nCPU ms of a step by the number of objects, {size}, torch")
        print(f"| model | {' | '.join(map(str, options.objects))} |\n|---|{'---|' * len(options.objects)}")
        for name in options.beside:
            print(f"| {name} | {' | '.join(f'{times_of[name, n].cpu:.0f}' for n in options.objects)} |")
        report["objects"] = {f"{name}, {n}": times._asdict() for (name, n), times in times_of.items()}
    if options.json:
        options.json.write_text(json.dumps(report) + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=STUDENT)
    parser.add_argument("--beside", nargs="+", default=list(BESIDE), metavar="MODEL")
    parser.add_argument("--queues", type=int, nargs="+", default=[1, 2, 4, 8, 20])
    parser.add_argument("--sizes", nargs="+", default=["480x854", "384x384"], metavar="HxW")
    parser.add_argument("--objects", type=int, nargs="+", default=list(range(1, 11)))
    parser.add_argument("--runtime", default="torch", choices=("torch", "onnx", "openvino"))
    parser.add_argument("--only", choices=("queue", "objects"))
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
