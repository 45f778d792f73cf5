"""A deeper model begun from a shallower sibling's weights, so that what the sibling learned is not learned again.

The new layers are copies of the first one whose outputs are multiplied by zero: at first the deeper network computes
exactly what the shallower one did, and its new layers have gradients from the first step on. Of a sibling with
deformable attention a plain model takes all but the offsets, and then reads every key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from limpet.models import Model

_LAYER = re.compile(r"layers\.(\d+)\.(.+)")
_OFFSETS = ".sampling."
_OUTPUTS = ("long_term.projection.", "short_term.projection.", "self_propagation.projection.")


def grow_layers(tensors: Mapping[str, Tensor], model: Model) -> dict[str, Tensor]:
    """The weights of a DeAOT with fewer layers, or with deformable attention, made into those of ``model``.

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
