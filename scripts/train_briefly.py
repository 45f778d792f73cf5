"""Trains for a number of minutes on a GPU that is at hand for a short time, then measures the speed of trackers on it.

    python scripts/train_briefly.py --data pack --work /tmp/brief --out $OUT --minutes 9.5

It unpacks the data (``pack_training_data.py``), trains STAGE in bf16 with clips rendered on the GPU and a compiled
model, runs BENCHMARKS, and leaves the result in ``--out`` (``take_training_result.py``). The learning rate follows the
clock: how many steps fit is measured all the time, and the schedule ends with the minutes. The result is written every
minute, at the end, on SIGTERM and after an error. ``--resume`` continues the run in ``--work``.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import torch
from brief_training.benchmarks import run_benchmarks
from brief_training.clock import Clock, say
from pack_training_data import unpack
from take_training_result import WEIGHTS, write_result

from limpet.core.config_fields import build
from limpet.core.cpu import keep_freed_memory
from limpet.core.errors import DataError
from limpet.core.files import atomic_path
from limpet.core.provenance import command_line, commit, cpu_model, usable_cores
from limpet.data import ClipBatch, StillsFolder, TrainingClips, training_videos
from limpet.training.checkpoint import CHECKPOINT, load_checkpoint, write_average
from limpet.training.clip_loader import clip_batches
from limpet.training.config import TrainConfig
from limpet.training.loop import Run, make_fabric
from limpet.training.monitor import Monitor
from limpet.training.schedule import ema_update
from limpet.training.setup import build_training_model
from limpet.training.train_model import quiet_lightning, root_and_split
from limpet.weights.weights_file import sha256
from limpet.weights.zoo import find_weights

STAGE: dict[str, Any] = {
    "model": "deaot-t-deformable", "frames": 5, "size": 465, "batch": 16, "long_term_gap": 1, "max_frame_gap": (6, 14),
    "video_prob": (0.55, 0.55), "crowd_prob": (0.6, 0.6), "attached_object_prob": 0.3, "mask_corruption_prob": 0.25,
    "learning_rate": 2e-4, "min_learning_rate": 1e-5, "encoder_lr_ratio": 0.25, "weight_decay": 0.05,
    "teacher_forcing_until": 0.0, "train_id_bank_throughout": True, "aux_loss_until": 1.0, "image_cache_gb": 24.0,
    "log_every": 5, "workers": None,
}  # fmt: skip
"""Settings of ``limpet train``; see "A borrowed GPU" in docs/training.md."""
COMPILED = ("encode", "identify", "refer", "propagate", "remember", "decode")
UNCOMPILED_STEPS, UNSETTLED_STEPS = 8, 3  # measured before the model is compiled; of these, left out
SETTLED_AFTER = 40  # compiled steps, after which those that were not faster are given up
SAVING_SECONDS = 15.0  # kept for the last checkpoint and the result


class BriefRun:
    """A training by the clock. ``stopped``: says why it should end now, or nothing."""

    def __init__(self, options: argparse.Namespace, ends: float, stopped: Callable[[], str]) -> None:
        self.options, self.stopped = options, stopped
        self.manifest, self.missing = unpack(options.data, options.work / "data")
        if len(self.missing) == len(self.manifest["parts"]):
            raise DataError(
                f"no part of the data is in {options.data}; copy {' and '.join(self.missing)} there"
            )
        say(
            f"{self.manifest['photos']} photos, {self.manifest['frames']} frames; missing: {self.missing or 'nothing'}"
        )
        folder = options.work / "run"
        start = load_checkpoint(folder / CHECKPOINT) if options.resume else None
        if start is None and (folder / CHECKPOINT).exists():
            raise DataError(
                f"{folder} holds a run already; continue it with --resume, or choose another --work"
            )
        config = settings(options.set) if start is None else start.config
        self.start = find_weights(config.model, options.start)
        model = build_training_model(config.model, None, self.start, config.clips.seed, config.flow)
        quiet_lightning()
        fabric = make_fabric(options.device, 1, config.precision)
        fabric.launch()
        keep_freed_memory()
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
        self.run = Run(model, config, folder, fabric, start)
        # the length of the average follows the plan, too
        self.run.ema.multi_avg_fn = lambda *now: ema_update(self.run.config, self.run.first_step)(*now)
        self.on_gpu = fabric.device.type == "cuda"
        self.done = self.run.first_step
        most = self.done + options.steps if options.steps else 10**7
        self.clock = Clock(ends, self.done, most, 0.5 if self.on_gpu else 5.0)
        self.compiled = False
        self.rates: dict[str, float] = {}
        self.losses: list[float] = []
        self.ended = "unfinished"
        self.began, self.minutes = time.monotonic(), None
        self.benchmarks: dict[str, bytes] = {}

    def train(self) -> None:
        """Take steps until the time is over; what there is is always saved."""
        self.began = time.monotonic()
        monitor = Monitor(self.run.folder, self.run.first_step)
        try:
            while True:
                try:
                    self.ended = self._steps(monitor)
                    break
                except torch.OutOfMemoryError:
                    pass  # what its traceback holds is let go first
                except RuntimeError:  # a worker that was ended by the signal, too
                    if not self.stopped():
                        raise
                    self.ended = self.stopped()
                    break
                self._halve_batch()
        finally:
            self.minutes = (time.monotonic() - self.began) / 60
            with suppress(Exception):
                monitor.close()
            self.save()

    def _steps(self, monitor: Monitor) -> str:
        """Returns why it ended."""
        run, clock = self.run, self.clock
        sets = [
            training_videos(*root_and_split(f"{self.options.work}/data/{v}")) for v in self.manifest["videos"]
        ]
        stills = self.manifest["stills"] and StillsFolder(
            self.options.work / "data" / self.manifest["stills"]
        )
        clips = TrainingClips(run.config.clips, stills or None, sets, device=run.fabric.device)
        workers = run.config.workers if run.config.workers is not None else max(0, usable_cores() - 2)
        with closing(clip_batches(clips, self.done, clock.most, workers, clock.progress)) as batches:
            self._take(batches, monitor)
        return self.stopped() or ("steps" if self.done >= clock.most else "time")

    def _take(self, batches: Iterator[tuple[int, ClipBatch]], monitor: Monitor) -> None:
        run, clock = self.run, self.clock
        last = saved = time.monotonic()
        for step, batch in batches:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # else a worker that ends is an error in mid-step
            if self.stopped() or clock.is_over(step):
                break
            self._compile_or_not(step)
            run.config = replace(run.config, steps=max(clock.steps, step + 1))
            values = self._step(step, batch)
            self.done = step + 1
            self.losses.append(values["loss"])
            now = time.monotonic()
            clock.took(self.done, now - last)
            last = now
            if step % run.config.log_every == 0:
                monitor.record(step, {**values, "seconds": clock.seconds[-1], "steps": clock.steps})
                say(
                    f"step {self.done} of {clock.steps}: loss {values['loss']:.3f}, {clock.seconds[-1]:.2f} s"
                )
            if now - saved > self.options.save_seconds:
                self.save()
                saved = time.monotonic()

    def _step(self, step: int, batch: ClipBatch) -> dict[str, float]:
        try:
            return self.run.step(step, batch)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            if not self.compiled or "compiled" in self.rates:
                raise
            say(f"the compiled model failed ({type(error).__name__}: {str(error)[:300]}); going on without")
            self._set_compiled(False)
            self.rates["compiled"] = float("inf")
            return self.run.step(step, batch)

    def _compile_or_not(self, step: int) -> None:
        """Compile the model once the plain one was measured, and take it back where that was not faster."""
        taken = step - self.run.first_step
        wanted = self.options.compile == "on" or (self.options.compile == "auto" and self.on_gpu)
        if not wanted:
            return
        if taken == UNCOMPILED_STEPS:
            self.rates["plain"] = self.clock.rate(UNCOMPILED_STEPS - UNSETTLED_STEPS)
            self.save()  # compiling takes long, and a signal waits for it
            self._set_compiled(True)
        elif taken == UNCOMPILED_STEPS + SETTLED_AFTER and self.compiled:
            self.rates["compiled"] = self.clock.rate(SETTLED_AFTER // 2)
            if self.rates["compiled"] > self.rates["plain"]:
                self._set_compiled(False)
            say(f"seconds per step: {self.rates}; compiled: {self.compiled}")

    def _set_compiled(self, compiled: bool) -> None:
        model: Any = self.run.model
        for name in COMPILED:
            if compiled:
                setattr(model, name, torch.compile(getattr(model, name)))
            else:
                delattr(model, name)
        self.compiled = compiled

    def _halve_batch(self) -> None:
        clips = self.run.config.clips
        if clips.batch == 1:
            raise DataError(
                "there is not enough memory for one clip; make clips smaller with --set size=PIXELS"
            )
        say(f"not enough memory for {clips.batch} clips; going on with {clips.batch // 2}")
        self.run.config = replace(self.run.config, clips=replace(clips, batch=clips.batch // 2))
        self.run.optimizer.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()

    def save(self) -> None:
        """The checkpoint, and the result as it is now."""
        if self.done > self.run.first_step:
            self.run.save(self.done)
        path = self.run.folder / WEIGHTS
        write_average(path, self.run.average, self.run.config, str(self.done), start=sha256(self.start))
        files = {WEIGHTS: path.read_bytes()} | self.benchmarks
        for name in ("log.jsonl", "curves.png"):
            if (self.run.folder / name).exists():
                files[name] = (self.run.folder / name).read_bytes()
        write_result(self.options.out, files, self.facts())
        say(f"saved after step {self.done}")

    def facts(self) -> dict[str, Any]:
        """What docs/runs.md tells of a run."""
        config, recent = self.run.config, self.losses[-100:]
        minutes = (time.monotonic() - self.began) / 60 if self.minutes is None else self.minutes
        gpu = torch.cuda.get_device_name() if self.on_gpu else None
        return {
            "date": date.today().isoformat(), "model": config.model, "command": command_line(),
            "commit": commit() or self.manifest.get("commit"),
            "hardware": gpu or f"{cpu_model()}, {usable_cores()} cores",
            "torch": torch.__version__, "ended": self.ended, "steps": self.done, "planned_steps": self.clock.steps,
            "training_minutes": minutes, "seconds_per_step": self.clock.rate() if self.losses else None,
            "rates": self.rates, "compiled": self.compiled, "loss": statistics.fmean(recent) if recent else None,
            "peak_gpu_gb": torch.cuda.max_memory_allocated() / 1e9 if self.on_gpu else None,
            "start_sha256": sha256(self.start), "data_parts": self.manifest["parts"], "data_missing": self.missing,
            "settings": config.as_json(),
        }  # fmt: skip


def settings(changes: Sequence[str]) -> TrainConfig:
    """STAGE with changes NAME=VALUE, the values in JSON or plain words. Raises DataError."""
    values = dict(STAGE)
    for change in changes:
        name, equals, text = change.partition("=")
        known = build(TrainConfig, {}).as_json()
        if not equals or name not in {*known, *known["clips"]}:
            raise DataError(
                f"--set {change!r} is not a setting of limpet train; expected NAME=VALUE, such as size=321"
            )
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        values[name] = tuple(value) if isinstance(value, list) else value
    return build(TrainConfig, values)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=Path, help="folder that pack_training_data.py made; none: only benchmarks"
    )
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for the unpacked data and the checkpoint"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the result")
    parser.add_argument("--minutes", type=float, default=9.5, help="of this command, all told (default: 9.5)")
    parser.add_argument(
        "--bench-minutes", type=float, default=0.0, help="of these, for the benchmarks (default: 0)"
    )
    parser.add_argument("--steps", type=int, help="most steps, where the time allows more")
    parser.add_argument(
        "--from", dest="start", type=Path, help="weights to start from (default: the bundled ones)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of limpet train"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--compile", choices=("auto", "on", "off"), default="auto", help="auto: on a GPU")
    parser.add_argument("--save-seconds", type=float, default=60.0, help="between checkpoints (default: 60)")
    parser.add_argument("--resume", action="store_true", help="continue the run in --work")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    began = time.monotonic()
    options = make_parser().parse_args(arguments)
    signals: list[str] = []
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda number, _: signals.append(signal.Signals(number).name))

    def stopped() -> str:
        return signals[0] if signals else ""

    ends = began + 60 * options.minutes
    bench_seconds = 60 * options.bench_minutes
    if options.data is None:
        found = run_benchmarks(options.device, ends, stopped)
        options.out.mkdir(parents=True, exist_ok=True)
        with atomic_path(options.out / "benchmarks.txt") as temporary:
            temporary.write_bytes(b"".join(f"# {name}\n".encode() + text for name, text in found.items()))
        return
    brief = BriefRun(options, ends - bench_seconds - SAVING_SECONDS, stopped)
    brief.train()
    if bench_seconds and not stopped():
        brief.benchmarks = run_benchmarks(options.device, ends - 2, stopped)
        brief.save()
    say(f"ended by {brief.ended} after {brief.done} steps")


if __name__ == "__main__":
    try:
        main()
    except DataError as error:
        sys.exit(f"error: {error}")
