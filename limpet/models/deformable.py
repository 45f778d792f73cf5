"""Deformable attention (Distillation Learning of Deformable Attention, section 3.2 and appendix A.3).

A query does not read every token of a map. Reference points are laid over the map, one for each block of cells; an
offset network moves each point, given the current frame's query; and keys and values are re-sampled, bilinearly, at
these sampling locations. Channels are cut into G groups, each with offsets of its own.

A propagation module whose long-term and self-propagation read in this way is the paper's GDPM; see
``limpet.models.gated_propagation``.

Legend: B batch; T frames; M tokens of one frame, M = h*w; C channels; A channels of a query; G channel groups; h w
feature cells; ``points`` reference points of a frame, ceil(h / grid_factor) * ceil(w / grid_factor).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class DeformableConfig:
    """How reference points are laid and moved.

    grid_factor: a block has so many cells along each side; 1 keeps every token, 2 a quarter of them.
    groups: G, of the channels, each with its own offsets.
    max_offset: the largest offset along each axis, in feature cells.
    """

    grid_factor: int = 2
    groups: int = 4
    max_offset: float = 4.0

    def __post_init__(self) -> None:
        if self.grid_factor < 1 or self.groups < 1 or not self.max_offset > 0:
            raise ValueError(f"grid_factor and groups must be at least 1 and max_offset above 0: {self}")


class OffsetNetwork(nn.Module):
    """From a query to offsets: 5x5 convolution within each group, GELU, 1x1 convolution.

    The paper's first convolution has stride 1, and its output is then needed at the reference points alone; a stride
    of ``grid_factor`` computes just those. The last convolution begins as zero, so that all offsets begin as zero.
    """

    def __init__(self, channels: int, config: DeformableConfig) -> None:
        super().__init__()
        if channels % config.groups:
            raise ValueError(f"{channels} channels cannot be cut into {config.groups} equal groups")
        self.groups, self.max_offset = config.groups, config.max_offset
        self.context = nn.Conv2d(
            channels, channels, 5, stride=config.grid_factor, padding=2, groups=config.groups
        )
        self.offsets = nn.Conv2d(channels, 2 * config.groups, 1, groups=config.groups)

    def zero_offsets(self) -> None:
        """Make every offset zero."""
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.offsets.bias)  # type: ignore[arg-type]

    def forward(self, query: Tensor, size: tuple[int, int]) -> Tensor:
        """Query (B, M, A) -> float32 (B, G, points, 2), offsets (down, right) in cells, at most ``max_offset``."""
        plane = query.unflatten(1, size).permute(0, 3, 1, 2)  # B A h w
        raw = self.offsets(F.gelu(self.context(plane)))  # B 2G rows columns, of the reference points
        bounded = torch.tanh(raw.float()) * self.max_offset
        offsets: Tensor = bounded.flatten(2).unflatten(1, (self.groups, 2)).transpose(2, 3)
        return offsets


class DeformableSampling(nn.Module):
    """The sampling locations of a query: the reference points plus the offsets that the network gives them.

    Args:
        channels: A of the query.
        config: see DeformableConfig.
    """

    def __init__(self, channels: int, config: DeformableConfig) -> None:
        super().__init__()
        self.grid_factor = config.grid_factor
        self.offset_network = OffsetNetwork(channels, config)

    def sampling_locations(self, query: Tensor, size: tuple[int, int]) -> Tensor:
        """Query (B, M, A) -> float32 (B, G, points, 2): (row, column) in cells where keys and values are read."""
        points = reference_points(size, self.grid_factor, query.device)
        locations: Tensor = points + self.offset_network(query, size)
        return locations


def reference_points(size: tuple[int, int], grid_factor: int, device: torch.device) -> Tensor:
    """float32 (points, 2): the (row, column) of the middle of each block of cells, row-major.

    With a grid_factor of 1 they are the cells themselves. With 2 a point without offset reads the mean of four cells,
    so that no token is left out; blocks that extend over the border of the map read the cells at the border.
    """
    middle = (grid_factor - 1) / 2
    rows, columns = (
        torch.arange(0, side, grid_factor, device=device, dtype=torch.float32) + middle for side in size
    )
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).flatten(0, 1)


def grid_size(size: tuple[int, int], grid_factor: int) -> tuple[int, int]:
    """How many reference points lie down and across a map of ``size`` (h, w)."""
    return -(-size[0] // grid_factor), -(-size[1] // grid_factor)


def sample_tokens(tokens: Tensor, locations: Tensor, size: tuple[int, int]) -> Tensor:
    """Read a map between its cells by bilinear interpolation (eqs. 3 and 4), each channel group at its own locations.

    Four rows of the map are weighted and added for each location, which ``embedding_bag`` does in one pass. Where the
    graph is captured, for a compiler or another runtime, ``grid_sample`` takes its place, since all of them have it.

    Args:
        tokens: (B, M, C); C is cut into G groups, in order.
        locations: float32 (B, G, points, 2), (row, column) in cells; outside the map the border is read.
        size: (h, w).

    Returns:
        (B, points, C) in the dtype of ``tokens``.
    """
    batch, groups, count, _ = locations.shape
    if torch.compiler.is_compiling():
        return _sample_by_grid(tokens, locations, size)
    corners, weights = bilinear_corners(locations, size)  # B G points 4
    channels = tokens.shape[-1]
    rows = tokens.reshape(-1, channels // groups)  # (B M G) C/G
    first = torch.arange(batch, device=tokens.device).view(-1, 1, 1, 1) * (size[0] * size[1])
    index = (first + corners) * groups + torch.arange(groups, device=tokens.device).view(-1, 1, 1)
    sampled = F.embedding_bag(
        index.transpose(1, 2).reshape(-1, 4),  # (B points G) 4
        rows,
        per_sample_weights=weights.transpose(1, 2).reshape(-1, 4).to(rows.dtype),
        mode="sum",
    )
    return sampled.view(batch, count, channels)


def _sample_by_grid(tokens: Tensor, locations: Tensor, size: tuple[int, int]) -> Tensor:
    """``sample_tokens`` by an operator that every exporter knows; equal up to rounding."""
    batch, groups = locations.shape[:2]
    plane = tokens.unflatten(1, size).permute(0, 3, 1, 2)  # B C h w
    plane = plane.unflatten(1, (groups, -1)).flatten(0, 1)  # B*G C/G h w
    last = torch.tensor([max(size[1] - 1, 1), max(size[0] - 1, 1)], dtype=torch.float32, device=tokens.device)
    grid = locations.flip(-1).flatten(0, 1).unsqueeze(2) / last * 2 - 1  # B*G points 1 2, (x, y) in -1..1
    # float32 throughout: in bf16 a location among 54 cells is known to a tenth of a cell only
    sampled = F.grid_sample(plane.float(), grid, mode="bilinear", padding_mode="border", align_corners=True)
    sampled = sampled.squeeze(3).unflatten(0, (batch, groups)).flatten(1, 2)  # B C points
    back: Tensor = sampled.transpose(1, 2).to(tokens.dtype)
    return back


def bilinear_corners(locations: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The four cells around each location, and the weight of each.

    Args:
        locations: float (..., 2), (row, column) in cells.
        size: (h, w).

    Returns:
        int64 (..., 4) indices of tokens, and float (..., 4) weights that add up to 1, with gradients to ``locations``.
    """
    height, width = size
    limits = torch.tensor([height - 1, width - 1], device=locations.device, dtype=locations.dtype)
    inside = locations.minimum(limits).clamp_min(0.0)
    # A location on the last row or column is paired with the cell before it, whose weight is 0.
    corner = inside.detach().floor().minimum(limits - 1).clamp_min(0.0)
    down, right = (inside - corner).unbind(-1)
    row, column = corner.long().unbind(-1)
    below, beside = (row + 1).clamp_max(height - 1), (column + 1).clamp_max(width - 1)
    indices = [row * width + column, row * width + beside, below * width + column, below * width + beside]
    weights = [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]
    return torch.stack(indices, dim=-1), torch.stack(weights, dim=-1)


def sample_memory(memory: Tensor, locations: Tensor, size: tuple[int, int], parts: int = 1) -> Tensor:
    """``sample_tokens`` for a memory of T frames, all read at the same locations.

    Args:
        memory: (B, T*M, C).
        locations: float32 (B, G, points, 2).
        size: (h, w) of a frame.
        parts: C is this many vectors side by side (values: visual and identity), each cut into G groups.

    Returns:
        (B, T*points, C).
    """
    frames = memory.shape[1] // (size[0] * size[1])
    each = memory.unflatten(1, (frames, -1)).flatten(0, 1)  # B*T M C
    repeated = locations.repeat(1, parts, 1, 1).repeat_interleave(frames, dim=0)  # B*T parts*G points 2
    sampled: Tensor = sample_tokens(each, repeated, size).unflatten(0, (-1, frames)).flatten(1, 2)
    return sampled
