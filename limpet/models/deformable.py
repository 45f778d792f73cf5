"""Deformable attention (Distillation Learning of Deformable Attention, section 3.2 and appendix A.3).

A query does not read every token of a map. Reference points are laid over the map, one for each g x g block of cells;
an offset network looks at the current frame's query and moves each point; and keys and values are re-sampled,
bilinearly, where the points have come to lie. Channels are cut into S groups, each with offsets of its own.

A propagation module whose long-term and self-propagation read in this way is the paper's GDPM; see
``limpet.models.gated_propagation``.

Legend: S groups of channels; n = ceil(h/g) * ceil(w/g) reference points.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class DeformableConfig:
    """How the points are laid and moved.

    grid_factor: g; 1 keeps every token, 2 a quarter of them.
    groups: S of the channels, each with its own offsets.
    reach: the largest offset along each axis, in feature cells.
    """

    grid_factor: int = 2
    groups: int = 4
    reach: float = 4.0

    def __post_init__(self) -> None:
        if self.grid_factor < 1 or self.groups < 1 or not self.reach > 0:
            raise ValueError(f"grid_factor and groups must be at least 1 and reach above 0: {self}")


class OffsetNetwork(nn.Module):
    """From a query to offsets: 5x5 convolution within each group, GELU, 1x1 convolution.

    The paper's first convolution has stride 1, and its output is then needed at the reference points alone; a stride
    of g computes just those. The last convolution begins as zero, so that points begin at rest.
    """

    def __init__(self, channels: int, config: DeformableConfig) -> None:
        super().__init__()
        if channels % config.groups:
            raise ValueError(f"{channels} channels cannot be cut into {config.groups} equal groups")
        self.groups, self.reach = config.groups, config.reach
        self.context = nn.Conv2d(
            channels, channels, 5, stride=config.grid_factor, padding=2, groups=config.groups
        )
        self.offsets = nn.Conv2d(channels, 2 * config.groups, 1, groups=config.groups)

    def rest(self) -> None:
        """Make every offset zero."""
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.offsets.bias)  # type: ignore[arg-type]

    def forward(self, query: Tensor, size: tuple[int, int]) -> Tensor:
        """Query (B, h*w, A) -> float32 (B, S, n, 2), offsets (down, right) in cells, within the reach."""
        plane = query.unflatten(1, size).permute(0, 3, 1, 2)  # B A h w
        moved = self.offsets(F.gelu(self.context(plane)))  # B 2S h/g w/g
        bounded = torch.tanh(moved.float()) * self.reach
        offsets: Tensor = bounded.flatten(2).unflatten(1, (self.groups, 2)).transpose(2, 3)
        return offsets


class DeformableSampling(nn.Module):
    """Where to read, and reading there. Stateless but for the offset network.

    Args:
        channels: A of the query.
        config: see DeformableConfig.
    """

    def __init__(self, channels: int, config: DeformableConfig) -> None:
        super().__init__()
        self.grid_factor = config.grid_factor
        self.offset_network = OffsetNetwork(channels, config)

    def places(self, query: Tensor, size: tuple[int, int]) -> Tensor:
        """Query (B, h*w, A) -> float32 (B, S, n, 2): (row, column) in cells where keys and values are read."""
        points = reference_points(size, self.grid_factor, query.device)
        moved: Tensor = points + self.offset_network(query, size)
        return moved


def reference_points(size: tuple[int, int], grid_factor: int, device: torch.device) -> Tensor:
    """float32 (n, 2): the (row, column) of the middle of each g x g block of cells, row-major.

    With g = 1 the cells themselves. A block in the middle of four cells reads their mean at rest, so that no token
    is left out; blocks that stick out read the cells at the border.
    """
    middle = (grid_factor - 1) / 2
    rows, columns = (
        torch.arange(0, side, grid_factor, device=device, dtype=torch.float32) + middle for side in size
    )
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).flatten(0, 1)


def grid_size(size: tuple[int, int], grid_factor: int) -> tuple[int, int]:
    """How many reference points lie down and across a map of ``size`` (h, w)."""
    return -(-size[0] // grid_factor), -(-size[1] // grid_factor)


def sample_tokens(tokens: Tensor, places: Tensor, size: tuple[int, int]) -> Tensor:
    """Read a map between its cells (eqs. 3 and 4), each group of channels at its own places.

    Four rows of the map are weighed and added for each place, which ``embedding_bag`` does in one pass. Where the
    graph is captured, for a compiler or another runtime, ``grid_sample`` stands for it, which they all know.

    Args:
        tokens: (B, h*w, C); C is cut into S groups, in order.
        places: float32 (B, S, n, 2), (row, column) in cells; places off the map read its border.
        size: (h, w).

    Returns:
        (B, n, C) in the dtype of ``tokens``.
    """
    batch, groups, count, _ = places.shape
    if torch.compiler.is_compiling():
        return _sample_by_grid(tokens, places, size)
    corners, shares = bilinear_corners(places, size)  # B S n 4
    channels = tokens.shape[-1]
    rows = tokens.reshape(-1, channels // groups)  # (B h w S) C/S
    first = torch.arange(batch, device=tokens.device).view(-1, 1, 1, 1) * (size[0] * size[1])
    index = (first + corners) * groups + torch.arange(groups, device=tokens.device).view(-1, 1, 1)
    sampled = F.embedding_bag(
        index.transpose(1, 2).reshape(-1, 4),  # (B n S) 4
        rows,
        per_sample_weights=shares.transpose(1, 2).reshape(-1, 4).to(rows.dtype),
        mode="sum",
    )
    return sampled.view(batch, count, channels)


def _sample_by_grid(tokens: Tensor, places: Tensor, size: tuple[int, int]) -> Tensor:
    """``sample_tokens`` by the operator that every exporter knows; the same function to the last bits."""
    batch, groups = places.shape[:2]
    plane = tokens.unflatten(1, size).permute(0, 3, 1, 2)  # B C h w
    plane = plane.unflatten(1, (groups, -1)).flatten(0, 1)  # B*S C/S h w
    last = torch.tensor([max(size[1] - 1, 1), max(size[0] - 1, 1)], dtype=torch.float32, device=tokens.device)
    grid = places.flip(-1).flatten(0, 1).unsqueeze(2) / last * 2 - 1  # B*S n 1 2, (x, y) in -1..1
    # float32 throughout: bf16 knows a place in 54 cells to a tenth of a cell only
    sampled = F.grid_sample(plane.float(), grid, mode="bilinear", padding_mode="border", align_corners=True)
    sampled = sampled.squeeze(3).unflatten(0, (batch, groups)).flatten(1, 2)  # B C n
    back: Tensor = sampled.transpose(1, 2).to(tokens.dtype)
    return back


def bilinear_corners(places: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The four cells around each place, and how much of each is read.

    Args:
        places: float (..., 2), (row, column) in cells.
        size: (h, w).

    Returns:
        int64 (..., 4) numbers of tokens, and float (..., 4) shares that add up to 1, with gradients to ``places``.
    """
    height, width = size
    limits = torch.tensor([height - 1, width - 1], device=places.device, dtype=places.dtype)
    inside = places.minimum(limits).clamp_min(0)
    # A place on the last row or column reads with the cell before it, at share 0.
    corner = inside.detach().floor().minimum(limits - 1).clamp_min(0)
    down, right = (inside - corner).unbind(-1)
    row, column = corner.long().unbind(-1)
    below, beside = (row + 1).clamp_max(height - 1), (column + 1).clamp_max(width - 1)
    cells = [row * width + column, row * width + beside, below * width + column, below * width + beside]
    shares = [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]
    return torch.stack(cells, dim=-1), torch.stack(shares, dim=-1)


def sample_memory(memory: Tensor, places: Tensor, size: tuple[int, int], parts: int = 1) -> Tensor:
    """``sample_tokens`` for a memory of T frames, all read at the same places.

    Args:
        memory: (B, T*h*w, C).
        places: float32 (B, S, n, 2).
        size: (h, w) of a frame.
        parts: C is this many vectors side by side (values: visual and identity), each cut into S groups.

    Returns:
        (B, T*n, C).
    """
    frames = memory.shape[1] // (size[0] * size[1])
    each = memory.unflatten(1, (frames, -1)).flatten(0, 1)  # B*T h*w C
    everywhere = places.repeat(1, parts, 1, 1).repeat_interleave(frames, dim=0)  # B*T parts*S n 2
    sampled: Tensor = sample_tokens(each, everywhere, size).unflatten(0, (-1, frames)).flatten(1, 2)
    return sampled
