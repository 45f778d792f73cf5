"""Multi-head attention (Vaswani et al., 2017) over a whole memory, and in a window around each cell (AOT, 3.3).

Tokens are row-major over the feature map. In a window, each offset has a learned logit and a learned value.

Legend: B batch; T frames; M tokens of one frame, M = h*w; C channels, of which each head has C/heads; h w feature
cells. ``tiles`` is the number of tiles of a map, ``side`` the cells along each side of a tile with its margin, and
``window`` those along each side of a window, 2 * radius + 1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.models.attention import MASKED_LOGIT

# Queries are taken in square tiles, whose keys are the tile and a margin: smaller tiles do less work outside the
# windows, larger ones copy fewer keys. 8 was the best of 4, 8 and 16 at 31 x 54 cells on a CPU.
TILE = 8


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """(B, M, C) -> (B, heads, M, C/heads), without copying."""
    batch, length, channels = tokens.shape
    return tokens.view(batch, length, heads, channels // heads).transpose(1, 2)


def join_heads(tokens: Tensor) -> Tensor:
    """(B, heads, M, C/heads) -> (B, M, C)."""
    return tokens.transpose(1, 2).flatten(2)


class MultiHeadAttention(nn.Module):
    """Softmax attention in several heads, each with a share of the channels, and a projection."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projection = nn.Linear(channels, channels)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
        """Query (B, M, C), key and value (B, T*M, C), bias (B, 1, T*M) added to the logits -> (B, M, C)."""
        query, key, value = (split_heads(tokens, self.heads) for tokens in (query, key, value))
        mask = None if bias is None else bias.unsqueeze(1)
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        output: Tensor = self.projection(join_heads(read))
        return output

    def weights(self, query: Tensor, key: Tensor) -> Tensor:
        """The mean of the heads' attention maps: query (B, M, C), key (B, T*M, C) -> (B, M, T*M)."""
        query, key = (split_heads(tokens, self.heads) for tokens in (query, key))
        logits = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
        mean: Tensor = logits.softmax(dim=-1).mean(dim=1)
        return mean


class SelfAttention(MultiHeadAttention):
    """Attention of a frame to itself; positions are part of queries and keys, but not of values."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__(channels, heads)
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor, position: Tensor) -> Tensor:  # type: ignore[override]
        """Tokens (B, M, C) and positions (M, C) -> (B, M, C)."""
        positioned = tokens + position
        return super().forward(self.query(positioned), self.key(positioned), self.value(tokens))


class RelativeOffsets(nn.Module):
    """What each head has learned for each offset in its window: a logit that depends on the query, and a value.

    Args:
        width: C/heads.
        heads: how many there are.
        window: cells along each side of the window.
    """

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        offsets = window * window
        self.weight = nn.Parameter(torch.empty(heads * offsets, width))
        self.bias = nn.Parameter(torch.zeros(heads * offsets))
        self.value = nn.Parameter(torch.zeros(heads, width, offsets))
        nn.init.xavier_uniform_(self.weight)

    def logits(self, query: Tensor) -> Tensor:
        """Query (B, heads, tiles, cells, C/heads), before it is scaled -> (B, heads, tiles, cells, window*window)."""
        heads = query.shape[1]
        weight = self.weight.unflatten(0, (heads, 1, -1)).transpose(2, 3)  # heads 1 C/heads window*window
        logits: Tensor = query @ weight + self.bias.unflatten(0, (heads, 1, 1, -1))
        return logits

    def read(self, weights: Tensor) -> Tensor:
        """Attention weights (B, heads, tiles, cells, window*window) -> values (B, heads, tiles, cells, C/heads)."""
        return weights @ self.value.transpose(1, 2).unsqueeze(1)


class LocalAttention(nn.Module):
    """Softmax attention in a square window around each cell, in several heads, and a projection."""

    def __init__(self, channels: int, heads: int, radius: int) -> None:
        super().__init__()
        self.heads, self.radius = heads, radius
        self.scale = (channels // heads) ** -0.5
        self.relative = RelativeOffsets(channels // heads, heads, 2 * radius + 1)
        self.projection = nn.Linear(channels, channels)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, size: tuple[int, int]) -> Tensor:
        """Query of this frame, key and value of the previous one, (B, M, C) each -> (B, M, C)."""
        queries = into_tiles(split_heads(query, self.heads), size)
        keys = into_tiles(split_heads(key, self.heads), size, self.radius)
        values = into_tiles(split_heads(value, self.heads), size, self.radius)
        near = windows_of(queries * self.scale @ keys.transpose(-2, -1), self.radius)
        logits = near + self.relative.logits(queries) + outside_map(size, self.radius, near)
        weights = torch.softmax(logits, dim=-1)
        read = windows_to_tiles(weights, self.radius) @ values + self.relative.read(weights)
        output: Tensor = self.projection(join_heads(from_tiles(read, size)))
        return output


def into_tiles(tokens: Tensor, size: tuple[int, int], margin: int = 0) -> Tensor:
    """(B, heads, M, channels) -> (B, heads, tiles, side*side, channels): tiles with ``margin`` cells around each.

    What lies outside the map is zero.
    """
    height, width = size
    missing = (-height % TILE, -width % TILE)  # to whole tiles
    map_ = tokens.unflatten(2, size)  # B heads h w channels
    map_ = F.pad(map_, (0, 0, margin, margin + missing[1], margin, margin + missing[0]))
    side = TILE + 2 * margin
    tiles = map_.unfold(2, side, TILE).unfold(3, side, TILE)  # B heads rows columns channels side side
    return tiles.permute(0, 1, 2, 3, 5, 6, 4).flatten(4, 5).flatten(2, 3)


def from_tiles(tiles: Tensor, size: tuple[int, int]) -> Tensor:
    """The inverse of ``into_tiles`` without margin: (B, heads, tiles, TILE*TILE, width) -> (B, heads, M, width)."""
    height, width = size
    grid = tiles.unflatten(2, (-1, -(-width // TILE))).unflatten(4, (TILE, TILE))
    # B heads h w channels, rounded up to whole tiles
    map_: Tensor = grid.transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return map_[:, :, :height, :width].flatten(2, 3)


def windows_of(logits: Tensor, radius: int) -> Tensor:
    """Of each query's logits for the keys of its tile and the margin, those in its window.

    The window of the query in row i and column j of a tile begins at row i and column j of the keys, so that it is
    a view with longer strides: one step to the next query is also one step among the keys.

    Args:
        logits: (B, heads, tiles, TILE*TILE, side*side), side = TILE + 2 * radius.

    Returns:
        (B, heads, tiles, TILE*TILE, window*window), window = 2 * radius + 1.
    """
    if torch.compiler.is_compiling():  # exporters know no strides
        return _cut_windows(logits, radius)
    return logits.as_strided(*_window_strides(logits.contiguous(), radius)).flatten(5, 6).flatten(3, 4)


def windows_to_tiles(weights: Tensor, radius: int) -> Tensor:
    """The inverse of ``windows_of``; keys outside the window get 0."""
    if torch.compiler.is_compiling():
        return _lay_windows(weights, radius)
    keys = (TILE + 2 * radius) ** 2
    spread = weights.new_zeros(*weights.shape[:-1], keys)
    size, stride = _window_strides(spread, radius)
    spread.as_strided(size, stride).copy_(weights.view(size))
    return spread


def _window_strides(logits: Tensor, radius: int) -> tuple[list[int], list[int]]:
    """Size (B, heads, tiles, TILE, TILE, window, window) and strides of the windows' view of contiguous ``logits``."""
    side, window = TILE + 2 * radius, 2 * radius + 1
    query = logits.stride(3)
    size = [*logits.shape[:3], TILE, TILE, window, window]
    return size, [*logits.stride()[:3], TILE * query + side, query + 1, side, 1]


def _cut_windows(logits: Tensor, radius: int) -> Tensor:
    """``windows_of`` by padding and slicing alone, one axis after the other."""
    side = TILE + 2 * radius
    # n tiles of all heads; i j a query in its tile
    across = logits.flatten(0, 2).unflatten(2, (side, side)).unflatten(1, (TILE, TILE))  # n i j side side
    across = _from_each(across.transpose(2, 3))  # n i side j window: columns became offsets
    down = _from_each(across.permute(0, 3, 4, 1, 2))  # n j window i window: and rows
    windows = down.permute(0, 3, 1, 4, 2).flatten(3, 4).flatten(1, 2)
    cut: Tensor = windows.unflatten(0, logits.shape[:3])
    return cut


def _lay_windows(weights: Tensor, radius: int) -> Tensor:
    """``windows_to_tiles`` by padding and slicing alone: the steps of ``_cut_windows`` the other way round."""
    window = 2 * radius + 1
    # n i j window window
    down = weights.flatten(0, 2).unflatten(2, (window, window)).unflatten(1, (TILE, TILE))
    down = _to_each(down.permute(0, 2, 4, 1, 3))  # n j window i side
    across = _to_each(down.permute(0, 3, 4, 1, 2))  # n i side j side
    tiles = across.transpose(2, 3).flatten(3, 4).flatten(1, 2)
    laid: Tensor = tiles.unflatten(0, weights.shape[:3])
    return laid


def _from_each(lines: Tensor) -> Tensor:
    """(..., length, length + window - 1) -> (..., length, window): in row l the numbers from column l on."""
    length, width = lines.shape[-2:]
    window = width - length + 1
    padded = F.pad(lines.flatten(-2), (0, length)).unflatten(-1, (length, width + 1))
    cut: Tensor = padded[..., :window]
    return cut


def _to_each(lines: Tensor) -> Tensor:
    """The inverse of ``_from_each``, with zeros elsewhere."""
    length, window = lines.shape[-2:]
    width = length + window - 1
    padded = F.pad(lines, (0, length)).flatten(-2)
    laid: Tensor = padded[..., : length * width].unflatten(-1, (length, width))
    return laid


def outside_map(size: tuple[int, int], radius: int, like: Tensor) -> Tensor:
    """(tiles, TILE*TILE, window*window), dtype as ``like``: MASKED_LOGIT where a window leaves the map, else 0."""
    inside = like.new_zeros(1, 1, size[0] * size[1], 1)
    inside = into_tiles(inside + 1, size, radius)  # 1 1 tiles side*side 1
    every_query = inside.transpose(3, 4).expand(-1, -1, -1, TILE * TILE, -1).contiguous()
    return (windows_of(every_query, radius)[0, 0] - 1) * -MASKED_LOGIT
