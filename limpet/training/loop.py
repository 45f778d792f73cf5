"""The training loop: one process on a CPU or many on GPUs, through Lightning Fabric."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, distributed
from torch.optim.swa_utils import AveragedModel

from limpet.core.config_fields import resume_config
from limpet.core.cpu import keep_freed_memory
from limpet.core.errors import DataError, MissingExtraError, Option
from limpet.data import ClipBatch, StillsFolder, TrainingClips, VideoSet
from limpet.models import Model
from limpet.models.frozen_norm import freeze, train_affine
from limpet.models.inference import has_bf16
from limpet.training.checkpoint import (
    CHECKPOINT,
    Checkpoint,
    keep_weights,
    load_checkpoint,
    restore,
    save_checkpoint,
)
from limpet.training.clip_loader import clip_batches, default_workers
from limpet.training.config import TrainConfig
from limpet.training.monitor import Monitor, progress_bar, save_batch
from limpet.training.rollout import ClipLoss, Objective
from limpet.training.schedule import (
    build_optimizer,
    ema_update,
    id_permutation,
    id_shuffle_count,
    rollout_config,
    set_learning_rate,
)

Score = Callable[[Model], float]


def train(
    model: Model,
    config: TrainConfig,
    folder: Path,
    stills: StillsFolder | None,
    videos: Sequence[VideoSet],
    *,
    device: str = "auto",
    processes: int = 1,
    resume: bool = False,
    score: Score | None = None,
    objective: Callable[[Model], Objective] = ClipLoss,
    quiet: bool = False,
) -> Model:
    """Train ``model`` for one stage and return a second model with its averaged weights (EMA).

    Args:
        model: with the weights to start from; its parameters are changed.
        config: see TrainConfig. When resuming, it must equal the checkpoint's but for what may change (the length,
            the rates, what is logged); ``resumed_config`` makes one that does.
        folder: where the checkpoint, the log and the curves of the run are written.
        stills, videos: the data; at least one of them.
        device: "auto", "cpu" or "cuda".
        processes: devices to train on; each makes its own clips. Started by torchrun, those that it says are taken.
        resume: continue from the folder's checkpoint.
        score: returns the score of the averaged model, higher is better; called every ``config.score_every`` steps.
        objective: wraps the model in its loss; the default compares its masks with those of the clips.
        quiet: show no progress.

    Raises:
        DataError: no data, no checkpoint to resume from or one with other settings, or a loss that is not a number.
        MissingExtraError: the [train] extra is not installed.
    """
    fabric = make_fabric(device, processes, config.precision)
    fabric.launch()
    keep_freed_memory()
    start = load_checkpoint(folder / CHECKPOINT) if resume else None
    if start is not None:
        config = resume_config(start.config, config, None, f"the run in {folder}")
    run = Run(model, config, folder, fabric, start, objective)
    clips = TrainingClips(config.clips, stills, videos, device=fabric.device, rank=fabric.global_rank)
    workers = (
        default_workers(machines_and_processes(processes)[1]) if config.workers is None else config.workers
    )
    run.loop(clips, score, quiet, workers)
    return run.average


class Run:
    """The objects of a run, and one step of it."""

    def __init__(
        self,
        model: Model,
        config: TrainConfig,
        folder: Path,
        fabric: Any,
        start: Checkpoint[TrainConfig] | None,
        objective: Callable[[Model], Objective] = ClipLoss,
    ) -> None:
        self.config, self.folder, self.fabric = config, folder, fabric
        folder.mkdir(parents=True, exist_ok=True)
        if config.train_norms:
            train_affine(model)
        freeze(model.encoder, config.frozen_stages)  # type: ignore[arg-type]
        model = model.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.model = model
        module = objective(model)
        self.helpers = module.helpers
        optimizer = build_optimizer(model, config, self.helpers)
        self.clip_loss, self.optimizer = fabric.setup(module, optimizer)
        # From here on the parameters are on the device, and all processes have those of the first.
        self.first_step = 0 if start is None else start.step
        self.ema = AveragedModel(model, multi_avg_fn=ema_update(config, self.first_step))
        self.ema.update_parameters(model)  # the first update copies; from the second on it is an average
        self.average.requires_grad_(False).eval()
        if start is not None:
            restore(start, model, self.average, self.optimizer, self.helpers)

    @property
    def average(self) -> Model:
        """The model with the averaged weights."""
        return cast(Model, self.ema.module)

    def loop(self, clips: TrainingClips, score: Score | None, quiet: bool, workers: int = 0) -> None:
        """Take all steps that are left; ``workers``: processes that make the clips."""
        config, is_main = self.config, self.fabric.is_global_zero
        monitor = Monitor(self.folder, self.first_step) if is_main else None
        try:
            with progress_bar(config.steps, self.first_step, quiet or not is_main) as show:
                for step, batch in clip_batches(clips, self.first_step, config.steps, workers):
                    values = self.step(step, batch)
                    done = step + 1
                    show(done, f"loss {values['loss']:.3f}")
                    if monitor is None:
                        continue
                    if config.log_every > 0 and step % config.log_every == 0:
                        monitor.record(step, values)
                    if score is not None and _is_due(done, config.score_every, config.steps):
                        monitor.record(step, {"score": score(self.average)})
                    if config.keep_every > 0 and done % config.keep_every == 0 and done < config.steps:
                        keep_weights(self.average, config, self.folder, done)
                    if _is_due(done, config.save_every, config.steps):
                        self.save(done)
                        monitor.draw()
        finally:
            if monitor is not None:
                monitor.close()

    def step(self, step: int, batch: ClipBatch) -> dict[str, float]:
        """One optimizer step; returns what is logged of it."""
        config = self.config
        rate = set_learning_rate(self.optimizer, config, step)
        torch.manual_seed(_seed(config, step, self.fabric.global_rank) + 1)  # dropout
        slots = self._slots(step, batch.object_counts).to(self.fabric.device)
        gap = config.long_term_gap
        if gap is None and self.model.config.long_term_gap is not None:
            gap = self.model.config.training_gap
        probability = config.reference_augment_prob
        augmented = probability > 0 and float(torch.rand(())) < probability
        settings = rollout_config(config, step, gap, augmented)
        frozen = settings.own_predictions and not settings.train_id_bank_throughout
        for part in self.model.flow_encoders:
            part.requires_grad_(not frozen)
        result = self.clip_loss(batch.images, batch.masks, batch.object_counts, slots, settings)
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(result.loss)
        norm = float(
            self.fabric.clip_gradients(
                self.clip_loss, self.optimizer, max_norm=config.max_grad_norm, error_if_nonfinite=False
            )
        )
        loss = float(result.loss.detach())
        if not (math.isfinite(loss) and math.isfinite(norm)):  # the norm is that of all processes: all stop
            saved = save_batch(self.folder, step, batch)
            raise DataError(
                f"the loss is {loss} and the gradient's norm {norm} at step {step}; the last checkpoint is kept, and "
                f"the clips are in {saved}. Continue with ",
                Option("resume"),
                f", and with a learning rate below {rate:.1e}, that of this step (",
                Option("learning_rate", f"{rate / 2:.1e}"),
                "), or with ",
                Option("precision", "32-true"),
            )
        self.optimizer.step()
        self.ema.update_parameters(self.model)
        terms = {name: float(value) for name, value in result.terms.items()}
        return {"loss": loss, **terms, "gradient norm": norm, "learning rate": rate}

    def _slots(self, step: int, object_counts: list[int]) -> Tensor:
        """(B, slots + 1): the identity slot of each object of each clip."""
        config, slots = self.config, self.model.config.max_objects
        generator = torch.Generator().manual_seed(_seed(config, step, self.fabric.global_rank))
        start, full = config.id_shuffle_start, config.id_shuffle_full
        used = [
            id_shuffle_count(step / config.steps, start, full, objects, slots) for objects in object_counts
        ]
        return torch.stack([id_permutation(slots, count, generator) for count in used])

    def save(self, step: int) -> None:
        """Write the checkpoint after ``step`` steps."""
        save_checkpoint(
            self.folder / CHECKPOINT,
            step,
            self.config,
            self.model,
            self.average,
            self.optimizer,
            self.helpers,
        )


def lightning_precision(precision: str, device: str) -> str:
    """What Lightning Fabric is to compute in, for one of PRECISIONS and a device "auto", "cpu" or "cuda"."""
    if precision != "auto":
        return precision
    cuda = device != "cpu" and torch.cuda.is_available()
    return "bf16-mixed" if has_bf16(torch.device("cuda" if cuda else "cpu")) else "32-true"


def make_fabric(device: str, processes: int, precision: str) -> Any:
    """Lightning's Fabric, not launched. Raises MissingExtraError: the [train] extra is not installed."""
    try:
        from lightning.fabric import Fabric
    except ImportError as error:
        raise MissingExtraError("training", "train", "lightning") from error
    machines, processes = machines_and_processes(processes)
    # A stage that feeds its own predictions back leaves the identity bank without gradient.
    strategy = "auto" if machines * processes == 1 else "ddp_find_unused_parameters_true"
    chosen: Any = lightning_precision(precision, device)
    return Fabric(
        accelerator=device, devices=processes, num_nodes=machines, strategy=strategy, precision=chosen
    )


def machines_and_processes(processes: int) -> tuple[int, int]:
    """How many machines train, and processes on each: what torchrun says, or this machine and ``processes``."""
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        return 1, processes
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    return int(os.environ["WORLD_SIZE"]) // here, here


def _is_due(done: int, every: int, steps: int) -> bool:
    return every > 0 and (done % every == 0 or done == steps)


def _seed(config: TrainConfig, step: int, rank: int) -> int:
    return (config.clips.seed * 1_000_003 + step) * 1009 + rank * 2
