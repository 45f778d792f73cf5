"""Attention maps as values, for distillation and for pictures.

They are computed again from what a model returns anyway, so that a model costs no more when no map is asked for:

    tokens, pending = model.propagate(features, long_term, short_term)
    found           = model.attention_map(pending, long_term, features.size)

Legend: B batch; T frames; M tokens of one frame; G channel groups.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from torch import Tensor

from limpet.core.errors import ModelError

MapKind = Literal["long-term", "self"]


class AttentionMap(NamedTuple):
    """Which keys each cell of a frame reads.

    weights: (B, M, T*rows*columns) for a memory of T frames, in the memory's order; rows add up to 1. Models with
        several heads give the mean of their maps.
    grid: (rows, columns) of a frame's keys.
    sampling_locations: float32 (B, G, rows*columns, 2), (row, column) in cells where each channel group was read, the
        same in every frame of the memory; None where keys are the cells themselves, or those of a coarser grid.
    reference_points: float32 (rows*columns, 2), the sampling locations without their offsets; None where those are.
    """

    weights: Tensor
    grid: tuple[int, int]
    sampling_locations: Tensor | None
    reference_points: Tensor | None = None


class SamplingMap(NamedTuple):
    """Where the cells of a frame read the previous frame, of models that follow motion (DeVOS).

    flow: float32 (B, 4, H/4, W/4) in pixels, see ``limpet.core.flow.Flow``: what the network was given, or found.
    locations: float32 (B, heads, M, R, P, 2), (row, column) in fine cells: P places on each of R grids; None where a
        plain window is read.
    weights: float32 (B, heads, M, R, P); those of all places of a cell add up to 1 in each head. None where
        ``locations`` is.
    """

    flow: Tensor
    locations: Tensor | None = None
    weights: Tensor | None = None


def check_request(layer: int, kind: str, layers: int, kinds: tuple[str, ...] = get_args(MapKind)) -> None:
    """Raises ModelError for a layer or a kind of map that the model does not have."""
    if not -layers <= layer < layers:
        raise ModelError(
            f"there is no layer {layer} to draw the attention of; the model has {layers}, from 0 on"
        )
    if kind not in kinds:
        raise ModelError(f"the model has no {kind!r} attention map; it has {' and '.join(kinds)}")
