"""``limpet.load``: from the name of a model to a tracker that is ready to run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from limpet.core.calibration import FACT, Calibration
from limpet.core.errors import ModelError, Option, WeightsError
from limpet.core.flow import FlowFunction
from limpet.core.tracker_protocol import FlowName
from limpet.models import build_model
from limpet.models.inference import Precision
from limpet.registry import find
from limpet.tracking.augmented_tracker import Augmentation, AugmentedTracker
from limpet.tracking.memory_policies import MemoryPolicy, budget_bytes, find_policy
from limpet.tracking.tracker import Tracker
from limpet.weights.hub import hub_weights
from limpet.weights.weights_file import Weights, load_into, read_weights, sha256
from limpet.weights.zoo import check_model, find_weights, is_hub_address

DEFAULT_MODEL = "deaot-t-deformable"
ENLARGE = 1.67  # 288 pixels to 480: small objects are told apart better when they have more tokens


def load(
    name: str | None = None,
    *,
    weights: Path | str | None = None,
    device: str = "auto",
    max_size: int | None = 480,
    enlarge: float = ENLARGE,
    objects_at_once: int | None = None,
    precision: Precision = "auto",
    memory: MemoryPolicy | str | None = None,
    memory_budget_mb: float | None = None,
    flip: bool = False,
    scales: Sequence[float] = (1.0,),
    flow: FlowName | FlowFunction | None = None,
    short_term_skip: int = 1,
) -> Tracker:
    """A tracker with trained weights.

    Args:
        name: of a model, see ``limpet.list_models``, or ``hf:owner/name`` on the Hugging Face hub (docs/hub.md);
            None takes the model of ``weights``, or DEFAULT_MODEL.
        weights: a limpet weights file; None takes the one that ships with the package.
        device: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1" …
        max_size: network input size: limit on the shorter side in pixels; None sets none.
        enlarge: smaller frames are enlarged for the network by at most this factor, never beyond ``max_size``.
        objects_at_once: how many objects share one pass of the network; None takes as many as the model holds (10).
            With fewer, similar objects are told apart better, at the cost of time (docs/accuracy.md).
        precision: "auto", "fp32" or "bf16".
        memory: memory policy, which past frames are attended to: "first", "official", "ring", "bounded" or a policy of
            your own; None takes the default of the model (docs/memory.md).
        memory_budget_mb: MB (10^6 bytes) that a state may hold, all objects together.
        flip: also track every frame mirrored, and merge both views (docs/augmentation.md).
        scales: factors of the network input size, each one a view; time grows with the sum of their squares.
        flow: source of optical flow, for models that read it: "dis", "match", "none" or a function (docs/devos.md);
            None takes the one that the weights were trained with.
        short_term_skip: how many frames before the next one its short-term memory is; 1 is the previous frame.

    Raises:
        ModelError: unknown model, device or memory policy, a bad scale, or another setting that no tracker can have.
        WeightsError: weights that are missing, damaged or made for another model.

    >>> import numpy as np
    >>> import limpet
    >>> tracker = limpet.load(device="cpu", memory="ring")
    >>> tracker.memory.name
    'ring'
    >>> frame = np.zeros((48, 64, 3), np.uint8)               # H W 3, RGB
    >>> mask = np.zeros((48, 64), np.uint8)                   # H W, object ids
    >>> mask[8:24, 8:24] = 7
    >>> state = tracker.start(frame, mask)
    >>> mask, state = tracker.step(frame, state)
    >>> mask.shape, state.frame_index, list(state.confidence)
    ((48, 64), 1, [7])
    >>> new = np.zeros((48, 64), np.uint8)
    >>> new[30:40, 30:40] = 200
    >>> tracker.add(frame, new, state).object_ids
    (7, 200)
    """
    if name is not None and is_hub_address(name):
        if weights is not None:
            raise WeightsError(f"give either {name} or weights, not both")
        weights, name = hub_weights(name), None
    content = read_weights(Path(weights)) if name is None and weights is not None else None
    name = name or (DEFAULT_MODEL if content is None else content.model)
    entry = find(name)
    config = entry.config()
    augmentation = Augmentation(flip, tuple(scales))
    policy = find_policy(memory, config, budget_bytes(memory_budget_mb))
    chosen = choose_device(device)
    path = find_weights(name, weights)
    content = content or read_weights(path)
    check_model(path, content.model, name)
    model = build_model(config)
    load_into(model, content.tensors, str(path))
    make = Tracker if augmentation.is_plain else partial(AugmentedTracker, augmentation=augmentation)
    return make(
        model,
        chosen,
        max_size=max_size,
        enlarge=enlarge,
        objects_at_once=objects_at_once,
        precision=precision,
        memory=policy,
        calibration=calibration_of(content, path),
        flow=flow or content.facts.get("flow"),  # type: ignore[arg-type]
        short_term_skip=short_term_skip,
        name=name,
        weights_sha256=sha256(path),
    )


def calibration_of(weights: Weights, path: Path) -> Calibration | None:
    """The Platt scaling in the header of a weights file; None if there is none. Raises WeightsError."""
    text = weights.facts.get(FACT)
    return None if text is None else Calibration.from_text(text, str(path))


def choose_device(device: str) -> torch.device:
    """The torch device for "auto", "cpu", "cuda" … Raises ModelError when it is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"there is no device {device!r}; use auto, cpu or cuda") from error
    if chosen.type not in ("cpu", "cuda"):
        raise ModelError(f"device {device!r} is not supported; use auto, cpu or cuda")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(
            "device is cuda, but torch finds no GPU here; pass ",
            Option("device", "cpu"),
            ", or install a CUDA build of torch",
        )
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ModelError(
            f"there is no device {device!r}: the GPUs here go up to cuda:{torch.cuda.device_count() - 1}"
        )
    return chosen
