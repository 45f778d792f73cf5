"""Attention maps as values, for distillation and for pictures.

They are computed anew from what a model returns anyway, so that a model that nobody asks for maps does no more work:

    tokens, pending = model.propagate(features, long_term, short_term)
    seen            = model.attention_map(pending, long_term, features.size)
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from torch import Tensor

from limpet.core.errors import ModelError

MapKind = Literal["long-term", "self"]


class AttentionMap(NamedTuple):
    """Which keys each place of a frame reads.

    weights: (B, h*w, K), rows add up to 1; of models with several heads their mean.
    grid: (rows, columns) of a frame's keys; K = T * rows * columns for a memory of T frames, in the memory's order.
    places: float32 (B, S, rows*columns, 2), (row, column) in cells where each of S groups of channels was read, the
        same in every frame of the memory; None where keys are the cells themselves.
    points: float32 (rows*columns, 2), the reference points from which places were moved; None where places is.
    """

    weights: Tensor
    grid: tuple[int, int]
    places: Tensor | None
    points: Tensor | None = None


def check_request(layer: int, kind: str, layers: int, kinds: tuple[str, ...] = get_args(MapKind)) -> None:
    """Raises ModelError for a layer or a kind of map that the model does not have."""
    if not -layers <= layer < layers:
        raise ModelError(
            f"there is no layer {layer} to draw the attention of; the model has {layers}, from 0 on"
        )
    if kind not in kinds:
        raise ModelError(f"the model has no {kind!r} attention map; it has {' and '.join(kinds)}")
