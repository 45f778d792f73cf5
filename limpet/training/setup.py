"""Before and after the loop: the model to start from, the score, and the weights that a run leaves behind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, distributed

from limpet import models
from limpet.core.errors import DataError, Option
from limpet.models import Model
from limpet.registry import find
from limpet.tracking.frame_flow import FrameFlow
from limpet.training.checkpoint import write_average
from limpet.training.config import TrainConfig
from limpet.training.loop import Score
from limpet.weights.weights_file import load_into, read_encoder, read_weights


def build_training_model(
    name: str,
    encoder: str | Path | None,
    start: str | Path | None,
    seed: int = 0,
    flow: str | None = None,
) -> Model:
    """A model to train: random, with an ImageNet encoder, or with the weights of an earlier stage.

    Those may be of a sibling with fewer layers, see ``init_from_shallower``. Random weights depend on ``seed``
    alone. ``flow`` is another source of optical flow than the model's own.

    Raises:
        ModelError: unknown name or source, or a model that reads no flow.
        WeightsError: a file does not fit. DataError: both files were given.
    """
    check_one_start(encoder, start)
    with torch.random.fork_rng(devices=[]):  # built on the CPU; the caller's random state is left as it was
        torch.manual_seed(seed)
        model = models.build_model(FrameFlow(find(name).config(), flow).config)  # type: ignore[arg-type]
    if encoder is not None:
        begin_with_encoder(model, read_encoder(Path(encoder)), str(encoder))
    if start is not None:
        load_into(model, init_from_shallower(read_weights(Path(start)).tensors, model), str(start))
    return model


def check_one_start(encoder: object, start: object) -> None:
    """Raises DataError where both an encoder and weights of an earlier stage were given to begin with."""
    if encoder is not None and start is not None:
        raise DataError(
            "give ",
            Option("encoder", "FILE"),
            " or ",
            Option("start", "FILE", "from"),
            ", not both: the earlier stage's weights hold an encoder already",
        )


def begin_with_encoder(model: Model, encoder: Mapping[str, Tensor], what: str) -> None:
    """Give a model the weights of an image encoder; all else stays as it was drawn.

    Args:
        encoder: by the names of ``model.encoder``. what: the file they are from, for messages.

    Raises:
        WeightsError: they do not fit.
    """
    others = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("encoder.")}
    load_into(model, others | model.encoder_state(encoder), what)


def check_clip_size(config: TrainConfig) -> None:
    """Raises DataError where the clips have sides of 16k pixels and the model needs 16k + 1."""
    if config.clips.size % 16 == 0 and find(config.model).config().align_corners:
        raise DataError(
            f"size is {config.clips.size}, expected 16k + 1 pixels for {config.model}, such as {config.clips.size + 1}"
        )


def davis_score(root: Path, split: str, max_sequences: int = 5, stride: int = 2) -> Score:
    """A function that scores a model by J&F (0..100) on every ``stride``-th frame of a few sequences."""
    from limpet.data import evaluation_videos
    from limpet.evaluation.evaluate_videos import evaluate_tracker
    from limpet.tracking.tracker import Tracker

    dataset = evaluation_videos(root, split)

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
    return write_average(folder / "weights.safetensors", average, config, str(config.steps))


_LAYER = re.compile(r"layers\.(\d+)\.(.+)")
_OFFSETS = ".sampling."
_OUTPUTS = ("long_term.projection.", "short_term.projection.", "self_propagation.projection.")


def init_from_shallower(tensors: Mapping[str, Tensor], model: Model) -> dict[str, Tensor]:
    """The weights of a DeAOT with fewer layers, or with deformable attention, as a start for ``model``.

    Args:
        tensors: a sibling's state: the same encoder and widths, fewer layers.
        model: freshly made; its own initial values stay where the first layer has nothing of the same shape.

    Returns:
        ``tensors``, without offsets that ``model`` has no place for, and the layers that were missing. What else does
        not fit is left for ``load_into`` to tell.
    """
    state = model.state_dict()
    grown = {name: tensor for name, tensor in tensors.items() if name in state or _OFFSETS not in name}
    for name, initial in state.items():
        match = _LAYER.fullmatch(name)
        if match is None or name in tensors:
            continue
        source = tensors.get(f"layers.0.{match[2]}")
        grown[name] = _new(match[2], initial.clone(), source)
    return grown


def _new(part: str, initial: Tensor, source: Tensor | None) -> Tensor:
    if part.startswith(_OUTPUTS):
        return torch.zeros_like(initial)
    if source is None:
        return initial
    if source.shape == initial.shape:
        return source.clone()
    if (
        part == "id_value.weight"
    ):  # reads (identity branch, id embedding); the first layer knows the latter alone
        return torch.cat([torch.zeros_like(source), source], dim=1)
    return initial
