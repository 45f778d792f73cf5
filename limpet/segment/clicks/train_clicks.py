"""Training of the click model, with clicks that a person would make on what the network itself has predicted so far."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from limpet.core.config_fields import resume_config
from limpet.core.cpu import keep_freed_memory
from limpet.core.errors import DataError, Option
from limpet.core.provenance import command_line
from limpet.data import VideoSet
from limpet.data.photometric import normalise
from limpet.data.stills import Still
from limpet.models.frozen_norm import train_affine
from limpet.segment.clicks.click_config import MODEL, ClickTrainConfig
from limpet.segment.clicks.click_network import ClickNetwork, load_click_network
from limpet.segment.clicks.click_samples import ClickSamples
from limpet.segment.clicks.guides import draw_guides, next_click
from limpet.segment.clicks.simulated_clicks import first_clicks
from limpet.segment.segmenter import Click
from limpet.tensor_files import read_tensors
from limpet.training.checkpoint import CHECKPOINT, Checkpoint, parts_of, restore, write_run
from limpet.training.monitor import Monitor, progress_bar
from limpet.training.setup import check_one_start
from limpet.weights.weights_file import Weights, load_into, read_encoder, write_weights

WEIGHTS = "weights.safetensors"
_FORMAT = "limpet-click-checkpoint-1"
_GAMMA = 2


def train_clicks(
    out: Path,
    config: ClickTrainConfig,
    stills: Sequence[Still],
    videos: Sequence[VideoSet],
    encoder: Path | None = None,
    start: Path | None = None,
    resume: bool = False,
    given: Collection[str] | None = None,
    quiet: bool = False,
) -> str:
    """Train; the averaged weights (EMA) are written to ``out``/weights.safetensors.

    Args:
        stills: photos with masks, without those that are held out.
        encoder: MobileNetV2's weights on ImageNet, to begin with.
        start: weights of the click model, from an earlier run, to begin with.
        resume: continue from the checkpoint in ``out``.
        given: names of the settings that were given on purpose; a run that is resumed keeps its own for the others.

    Returns:
        The sha256 of the weights file.

    Raises:
        DataError: no data, both an encoder and weights to begin with, a checkpoint that does not fit, or a loss that
            is not a number.
        WeightsError: the encoder, or what is started from, does not fit.
    """
    run = ClickRun(out, config, encoder, start)
    first = run.restore(given) if resume else 0
    samples = ClickSamples(stills, videos, run.config.size, run.config.video_prob, run.config.parts_weight)
    keep_freed_memory()
    monitor = Monitor(out, first)
    try:
        with progress_bar(run.config.steps, first, quiet) as show:
            for step in range(first, run.config.steps):
                loss, iou = run.step(step, samples)
                show(step + 1, f"loss {loss:.3f}")
                monitor.record(step, {"loss": loss, "IoU": iou})
                if (step + 1) % run.config.save_every == 0 or step + 1 == run.config.steps:
                    run.save(step + 1)
    finally:
        monitor.close()
    facts = {
        "command": command_line(),
        "steps": str(run.config.steps),
        "config": json.dumps(asdict(run.config)),
    }
    return write_weights(out / WEIGHTS, Weights(MODEL, run.average.state_dict(), facts))


class ClickRun:
    """The objects of a run, and one step of it."""

    def __init__(
        self, out: Path, config: ClickTrainConfig, encoder: Path | None = None, start: Path | None = None
    ) -> None:
        self.out, self.config = out, config
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        check_one_start(encoder, start)
        network = ClickNetwork() if start is None else load_click_network(start)
        if encoder is not None:
            own = {k: v for k, v in network.state_dict().items() if not k.startswith("features.")}
            given = {k: v for k, v in read_encoder(encoder).items() if not k.startswith("features.18.")}
            load_into(network, own | given, str(encoder))
        train_affine(network)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        inner = [p for name, p in network.named_parameters() if name.startswith("features.")]
        outer = [p for name, p in network.named_parameters() if not name.startswith("features.")]
        self.optimizer = torch.optim.AdamW(
            [{"params": inner, "ratio": config.encoder_lr_ratio}, {"params": outer, "ratio": 1.0}],
            weight_decay=1e-3,
        )
        self.ema = AveragedModel(network, multi_avg_fn=_update, use_buffers=True)
        self.ema.update_parameters(network)

    @property
    def average(self) -> ClickNetwork:
        """The network with the averaged weights."""
        network: ClickNetwork = self.ema.module  # type: ignore[assignment]
        return network

    def step(self, step: int, samples: ClickSamples) -> tuple[float, float]:
        """One optimizer step: its loss, and the mean IoU of the masks before it."""
        config, rng = self.config, np.random.default_rng((self.config.seed, step))
        rate = config.learning_rate_at(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["ratio"]
        drawn = [samples.draw(rng) for _ in range(config.batch)]
        pixels = np.stack([image for image, _ in drawn]).transpose(0, 3, 1, 2)
        images = normalise(torch.from_numpy(pixels).float().div_(255))
        images = images.contiguous(memory_format=torch.channels_last)
        truths = [truth for _, truth in drawn]
        begun = [first_clicks(rng, truth, config.given_mask_prob) for truth in truths]
        clicks, masks = [each[0] for each in begun], [each[1] for each in begun]
        for _ in range(int(rng.choice(config.further_clicks + 1, p=_chances(config.further_clicks)))):
            masks = self._predict(images, clicks, masks)
            for made, mask, truth in zip(clicks, masks, truths, strict=True):
                further = next_click(mask > 0.5, truth, rng)
                made += [further] if further is not None else []
        self.network.train()
        logits = self.network(images, _guides(clicks, masks, config.size))
        target = torch.from_numpy(np.stack(truths))[:, None].float()
        loss = normalised_focal_loss(logits, target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        value = float(loss.detach())
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        if not (math.isfinite(value) and math.isfinite(float(norm))):
            raise DataError(
                f"the loss is {value} at step {step}; continue from the last checkpoint with ",
                Option("resume"),
                f" and a learning rate below {rate:.1e}",
            )
        self.optimizer.step()
        self.ema.update_parameters(self.network)
        found = logits.detach() > 0
        both, either = (found & (target > 0)).sum((1, 2, 3)), (found | (target > 0)).sum((1, 2, 3))
        return value, float((both / either.clamp(min=1)).mean())

    @torch.no_grad()
    def _predict(
        self, images: Tensor, clicks: list[list[Click]], masks: list[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        self.network.eval()
        logits = self.network(images, _guides(clicks, masks, self.config.size))
        return list(logits.sigmoid()[:, 0].numpy())

    def save(self, step: int) -> None:
        """Write the checkpoint after ``step`` steps."""
        header = {"format": _FORMAT, "step": str(step), "config": json.dumps(asdict(self.config))}
        write_run(self.out / CHECKPOINT, header, self.network, self.average, self.optimizer)

    def restore(self, given: Collection[str] | None) -> int:
        """Load the checkpoint; returns how many steps were done."""
        path = self.out / CHECKPOINT
        try:
            header, tensors = read_tensors(path)
        except (SafetensorError, OSError) as error:
            raise DataError(
                f"there is no whole checkpoint at {path} ({error}); start without ", Option("resume")
            ) from error
        if header.get("format") != _FORMAT:
            raise DataError(f"{path} is not a checkpoint of the click model")
        begun = ClickTrainConfig(**json.loads(header["config"]))
        self.config = resume_config(begun, self.config, given, f"the run in {self.out}")
        start = Checkpoint(int(header["step"]), begun, **parts_of(tensors))
        restore(start, self.network, self.average, self.optimizer)
        self.ema.n_averaged.fill_(start.step + 1)
        return start.step


def normalised_focal_loss(logits: Tensor, target: Tensor) -> Tensor:
    """The focal loss of exponent 2, with weights that sum to one in each image: a scalar (Sofiiuk et al., 2019, eq. 4).

    Args:
        logits, target: (B, 1, H, W); the target is 0 or 1.
    """
    likelihood = torch.where(target > 0.5, logits.sigmoid(), (-logits).sigmoid())
    weight = (1 - likelihood) ** _GAMMA
    weight = weight / weight.mean((1, 2, 3), keepdim=True).detach().clamp(min=1e-6)
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (weight * entropy).mean()


@torch.no_grad()
def _update(averaged: Any, current: Any, count: Tensor | int) -> None:
    decay = min(0.998, (1 + int(count)) / (10 + int(count)))
    for mean, now in zip(averaged, current, strict=True):
        if mean.is_floating_point():
            mean.lerp_(now, 1 - decay)
        else:
            mean.copy_(now)


def _chances(most: int) -> NDArray[np.float64]:
    """Of 0, 1, ... ``most`` further clicks; with three of them 0.4, 0.3, 0.2 and 0.1."""
    shares = np.arange(most + 1, 0, -1, dtype=np.float64)
    return np.asarray(shares / shares.sum())


def _guides(clicks: list[list[Click]], masks: list[NDArray[np.float32]], size: int) -> Tensor:
    drawn = [draw_guides(each, (size, size), mask) for each, mask in zip(clicks, masks, strict=True)]
    return torch.from_numpy(np.stack(drawn)).contiguous(memory_format=torch.channels_last)
