"""Adaptive deformable video attention (ADVA) of DeVOS: a query reads the previous frame where its motion points.

Every query has sampling locations of its own: its place, plus where optical flow says that it was, plus a small grid of
points, plus bounded offsets that are learned. Keys and values are read there between cells, from two grids, and the
weights are a softmax of dot products, as in other attention. The paper's body is not public; see docs/devos.md for what
is known and what was decided here.

Legend: B batch; M tokens of a grid, Q of the queries' grid; C channels, of which each head has C/heads; P points of a
query in each grid that it reads; R grids that are read; h w cells of a grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.models.blocks import as_plane
from limpet.models.deformable import reference_points, sample_tokens

FINE, COARSE = 0, 1
MAX_OFFSET = (4.0, 2.0)
"""The largest learned offset in cells of the fine and of the coarse grid: 64 pixels in both."""


@dataclass(frozen=True)
class ADVAConfig:
    """How many places a query reads, and what moves them.

    points: P, a square number.
    both_scales: a query reads the other grid as well as its own.
    learned_offsets: places are moved by learned offsets besides the flow.
    """

    points: int = 9
    both_scales: bool = True
    learned_offsets: bool = True

    def __post_init__(self) -> None:
        if self.points < 1 or math.isqrt(self.points) ** 2 != self.points:
            raise ValueError(f"points is {self.points}, expected a square number such as 9")

    def sources(self, scale: int) -> tuple[int, ...]:
        """The grids that queries of a grid read."""
        return (FINE, COARSE) if self.both_scales else (scale,)


class SourceMap(NamedTuple):
    """The previous frame on one grid: key and value (B, M, C), and its size (h, w)."""

    key: Tensor
    value: Tensor
    size: tuple[int, int]


class QueryOffsets(nn.Module):
    """Offsets for every query: 5x5 convolution within each head, GELU, 1x1 convolution, which begins as zero."""

    def __init__(self, channels: int, heads: int, points: int, sources: Sequence[int]) -> None:
        super().__init__()
        self.heads, self.points, self.sources = heads, points, tuple(sources)
        self.context = nn.Conv2d(channels, channels, 5, padding=2, groups=heads)
        self.offsets = nn.Conv2d(channels, heads * len(self.sources) * points * 2, 1, groups=heads)

    def forward(self, query: Tensor, size: tuple[int, int]) -> list[Tensor]:
        """Query (B, Q, C) -> for each grid float32 (B, heads, Q, P, 2), (down, right), at most MAX_OFFSET of it."""
        raw = torch.tanh(
            self.offsets(F.gelu(self.context(as_plane(query, size)))).float()
        )  # B heads*R*P*2 h w
        each = raw.flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3)  # B heads Q R*P*2
        parts = each.chunk(len(self.sources), dim=3)  # no step has more than the five dimensions of Core ML
        return [
            part.unflatten(3, (self.points, 2)) * MAX_OFFSET[source]
            for part, source in zip(parts, self.sources, strict=True)
        ]


class ADVA(nn.Module):
    """The attention of one grid's queries to the previous frame, and a projection.

    Args:
        channels: C. heads: they share the channels evenly.
        scale: FINE or COARSE, the grid of the queries.
        config: see ADVAConfig.
    """

    def __init__(self, channels: int, heads: int, scale: int, config: ADVAConfig) -> None:
        super().__init__()
        self.heads, self.scale, self.points = heads, scale, config.points
        self.sources = config.sources(scale)
        self.offset_network = (
            QueryOffsets(channels, heads, config.points, self.sources) if config.learned_offsets else None
        )
        self.bias = nn.Parameter(torch.zeros(heads, len(self.sources) * config.points))
        self.projection = nn.Linear(channels, channels)

    def zero(self) -> None:
        """Make every learned offset and every bias zero."""
        nn.init.zeros_(self.bias)
        if self.offset_network is not None:
            nn.init.zeros_(self.offset_network.offsets.weight)
            nn.init.zeros_(self.offset_network.offsets.bias)  # type: ignore[arg-type]

    def sampling_locations(self, query: Tensor, to_previous: Tensor, size: tuple[int, int]) -> list[Tensor]:
        """Where each query reads.

        Args:
            query: (B, Q, C).
            to_previous: float32 (B, Q, 2), flow of each query's cell, in fine cells.
            size: (h, w) of the queries' grid.

        Returns:
            For each grid that is read float32 (B, heads, Q, P, 2), (row, column) in its cells.
        """
        offsets = self.offset_network(query, size) if self.offset_network is not None else None
        place = reference_points(size, 1, query.device) * 2**self.scale + to_previous  # B Q 2, in fine cells
        grid = point_grid(self.points, query.device)
        found = []
        for number, source in enumerate(self.sources):
            points = (place / 2**source).unsqueeze(2) + grid  # B Q P 2
            points = points.unsqueeze(1).expand(-1, self.heads, -1, -1, -1)
            found.append(points if offsets is None else points + offsets[number])
        return found

    def forward(
        self, query: Tensor, to_previous: Tensor, maps: Sequence[SourceMap], size: tuple[int, int]
    ) -> Tensor:
        """Read the previous frame.

        Args:
            maps: of the fine and of the coarse grid.
            query, to_previous, size: see ``sampling_locations``.

        Returns:
            (B, Q, C).
        """
        places = self.sampling_locations(query, to_previous, size)
        read = attend_at(query, [maps[source] for source in self.sources], places, self.bias)
        output: Tensor = self.projection(read)
        return output


def attend_at(query: Tensor, maps: Sequence[SourceMap], places: Sequence[Tensor], bias: Tensor) -> Tensor:
    """Softmax attention of each query to the places that it names, in several heads; see ``weights_at``.

    Returns:
        (B, Q, C), in each head a convex combination of values.
    """
    weights, value = weights_at(query, maps, places, bias)
    read: Tensor = (weights.unsqueeze(-1) * value).sum(dim=2).flatten(2)
    return read


def weights_at(
    query: Tensor, maps: Sequence[SourceMap], places: Sequence[Tensor], bias: Tensor
) -> tuple[Tensor, Tensor]:
    """How much of each place every query reads, and what is there.

    Args:
        query: (B, Q, C).
        maps: R maps to read.
        places: for each map float32 (B, heads, Q, P, 2), (row, column) in cells; outside the map its border is read.
        bias: (heads, R*P), added to the logits.

    Returns:
        weights (B, Q, R*P, heads), those of a query add up to 1 in each head, and values (B, Q, R*P, heads, C/heads).
    """
    heads = bias.shape[0]
    keys, values = zip(*(_sampled(one, where) for one, where in zip(maps, places, strict=True)), strict=True)
    key, value = torch.cat(keys, dim=2), torch.cat(values, dim=2)  # B Q R*P heads C/heads
    queries = query.unflatten(2, (heads, -1)).unsqueeze(2)  # B Q 1 heads C/heads
    logits = (queries * key).sum(dim=-1) * key.shape[-1] ** -0.5 + bias.t()  # B Q R*P heads
    return logits.softmax(dim=2), value


def _sampled(source: SourceMap, places: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values at places (B, heads, Q, P, 2): (B, Q, P, heads, C/heads) each. Both are read in one pass."""
    heads, points = places.shape[1], places.shape[3]
    both = torch.cat([part.unflatten(2, (heads, -1)) for part in (source.key, source.value)], dim=-1)
    read = sample_tokens(both.flatten(2), places.flatten(2, 3), source.size)  # B Q*P heads*2*C/heads
    key, value = read.unflatten(1, (-1, points)).unflatten(3, (heads, -1)).chunk(2, dim=-1)
    return key, value


def point_grid(points: int, device: torch.device) -> Tensor:
    """float32 (P, 2): a square of points one cell apart, with its middle at zero."""
    side = math.isqrt(points)
    line = torch.arange(side, device=device, dtype=torch.float32) - (side - 1) / 2
    return torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1).flatten(0, 1)
