"""Before and after the loop: the model to start from, the score, and the weights that a run leaves behind."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import torch
from torch import distributed

from limpet import models
from limpet.errors import DataError
from limpet.models import Model
from limpet.registry import find
from limpet.training.config import TrainConfig
from limpet.training.grow import grow_layers
from limpet.training.loop import Score
from limpet.weights.files import Weights, load_into, read_encoder, read_weights, write_weights


def build_model(name: str, encoder: Path | None, start: Path | None, seed: int = 0) -> Model:
    """A model to train: random, with an ImageNet encoder, or with the weights of an earlier stage.

    Those may be of a sibling with fewer layers, see ``grow_layers``. What is random follows from ``seed`` alone.

    Raises:
        ModelError: unknown name. WeightsError: a file does not fit. DataError: both files were given.
    """
    if encoder is not None and start is not None:
        raise DataError(
            "give --encoder or --from, not both: the earlier stage's weights hold an encoder already"
        )
    with torch.random.fork_rng(devices=[]):  # built on the CPU; the caller's own chance is left as it was
        torch.manual_seed(seed)
        model = models.build_model(find(name).config())
    if encoder is not None:
        load_into(model.encoder, read_encoder(encoder), str(encoder))
    if start is not None:
        load_into(model, grow_layers(read_weights(start).tensors, model), str(start))
    return model


def davis_score(root: Path, split: str, max_sequences: int = 5, stride: int = 2) -> Score:
    """A function that scores a model by J&F (0..100) on every ``stride``-th frame of a few sequences."""
    from limpet.evaluation.davis import load_davis
    from limpet.evaluation.protocol import evaluate_tracker
    from limpet.tracking.tracker import Tracker

    dataset = load_davis(root, split)

    def score(model: Model) -> float:
        tracker = Tracker(model)
        scores = evaluate_tracker(tracker, dataset, max_sequences=max_sequences, stride=stride)
        return 100 * scores.j_and_f

    return score


def finish_run(average: Model, config: TrainConfig, folder: Path) -> str | None:
    """Write the averaged weights to ``folder/weights.safetensors`` in fp16; returns their sha256.

    Of several processes, which all come here, only the first writes; the others get None.
    """
    if distributed.is_initialized() and distributed.get_rank() > 0:
        return None
    facts = {"command": shlex.join(["limpet", *sys.argv[1:]]), "steps": str(config.steps)}
    return write_weights(folder / "weights.safetensors", Weights(config.model, average.state_dict(), facts))
