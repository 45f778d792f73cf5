"""Multi-head attention (Vaswani et al., 2017) over a whole memory, and in a window around each place (AOT, 3.3).

Tokens are row-major over the feature map. In a window, each offset has a learned score and a learned value.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MASKED_LOGIT = -1e8  # a score that softmax turns into exactly zero

# Queries are taken in square tiles, whose keys are the tile and a margin: smaller tiles do less work outside the
# windows, larger ones copy fewer keys. 8 was the best of 4, 8 and 16 at 31 x 54 cells on a CPU.
TILE = 8


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """(B, M, C) -> (B, heads, M, C/heads), without copying."""
    batch, length, channels = tokens.shape
    return tokens.view(batch, length, heads, channels // heads).transpose(1, 2)


def join_heads(tokens: Tensor) -> Tensor:
    """(B, heads, M, D) -> (B, M, heads*D)."""
    return tokens.transpose(1, 2).flatten(2)


class MultiHeadAttention(nn.Module):
    """Softmax attention in several heads, each with a share of the channels, and a projection."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projection = nn.Linear(channels, channels)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
        """Query (B, h*w, C), key and value (B, M, C), bias (B, 1, M) added to the scores -> (B, h*w, C)."""
        query, key, value = (split_heads(tokens, self.heads) for tokens in (query, key, value))
        mask = None if bias is None else bias.unsqueeze(1)
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        output: Tensor = self.projection(join_heads(read))
        return output

    def weights(self, query: Tensor, key: Tensor) -> Tensor:
        """The mean over the heads of where they look: query (B, h*w, C), key (B, M, C) -> (B, h*w, M)."""
        query, key = (split_heads(tokens, self.heads) for tokens in (query, key))
        scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
        mean: Tensor = scores.softmax(dim=-1).mean(dim=1)
        return mean


class SelfAttention(MultiHeadAttention):
    """Attention of a frame to itself; positions take part in where to look, not in what is read."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__(channels, heads)
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor, position: Tensor) -> Tensor:  # type: ignore[override]
        """Tokens (B, h*w, C) and positions (h*w, C) -> (B, h*w, C)."""
        placed = tokens + position
        return super().forward(self.query(placed), self.key(placed), self.value(tokens))


class RelativeOffsets(nn.Module):
    """What a head knows of each offset in its window: a score that depends on the query, and a value."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        offsets = window * window
        self.weight = nn.Parameter(torch.empty(heads * offsets, width))
        self.bias = nn.Parameter(torch.zeros(heads * offsets))
        self.value = nn.Parameter(torch.zeros(heads, width, offsets))
        nn.init.xavier_uniform_(self.weight)

    def scores(self, query: Tensor) -> Tensor:
        """Query (B, heads, T, Q, D), before it is scaled -> (B, heads, T, Q, W*W)."""
        heads = query.shape[1]
        weight = self.weight.unflatten(0, (heads, 1, -1)).transpose(2, 3)  # heads 1 D W*W
        scores: Tensor = query @ weight + self.bias.unflatten(0, (heads, 1, 1, -1))
        return scores

    def read(self, weights: Tensor) -> Tensor:
        """Attention weights (B, heads, T, Q, W*W) -> the offsets' values (B, heads, T, Q, D)."""
        return weights @ self.value.transpose(1, 2).unsqueeze(1)


class LocalAttention(nn.Module):
    """Softmax attention in a square window around each place, in several heads, and a projection."""

    def __init__(self, channels: int, heads: int, reach: int) -> None:
        super().__init__()
        self.heads, self.reach = heads, reach
        self.scale = (channels // heads) ** -0.5
        self.relative = RelativeOffsets(channels // heads, heads, 2 * reach + 1)
        self.projection = nn.Linear(channels, channels)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, size: tuple[int, int]) -> Tensor:
        """Query of this frame, key and value of the previous one, (B, h*w, C) each -> (B, h*w, C)."""
        queries = into_tiles(split_heads(query, self.heads), size)
        keys = into_tiles(split_heads(key, self.heads), size, self.reach)
        values = into_tiles(split_heads(value, self.heads), size, self.reach)
        near = windows_of(queries * self.scale @ keys.transpose(-2, -1), self.reach)
        scores = near + self.relative.scores(queries) + outside_map(size, self.reach, near)
        weights = torch.softmax(scores, dim=-1)
        read = windows_to_tiles(weights, self.reach) @ values + self.relative.read(weights)
        output: Tensor = self.projection(join_heads(from_tiles(read, size)))
        return output


def into_tiles(tokens: Tensor, size: tuple[int, int], margin: int = 0) -> Tensor:
    """(B, heads, h*w, D) -> (B, heads, T, S*S, D): T tiles side by side, each with ``margin`` cells around it.

    What lies outside the map is zero; S is TILE + 2 * margin.
    """
    height, width = size
    rest = (-height % TILE, -width % TILE)
    map_ = tokens.unflatten(2, size)  # B heads h w D
    map_ = F.pad(map_, (0, 0, margin, margin + rest[1], margin, margin + rest[0]))
    side = TILE + 2 * margin
    tiles = map_.unfold(2, side, TILE).unfold(3, side, TILE)  # B heads rows columns D S S
    return tiles.permute(0, 1, 2, 3, 5, 6, 4).flatten(4, 5).flatten(2, 3)


def from_tiles(tiles: Tensor, size: tuple[int, int]) -> Tensor:
    """The inverse of ``into_tiles`` without a margin: (B, heads, T, S*S, D) -> (B, heads, h*w, D)."""
    height, width = size
    grid = tiles.unflatten(2, (-1, -(-width // TILE))).unflatten(4, (TILE, TILE))
    map_: Tensor = (
        grid.transpose(3, 4).flatten(4, 5).flatten(2, 3)
    )  # B heads h w D, rounded up to whole tiles
    return map_[:, :, :height, :width].flatten(2, 3)


def windows_of(scores: Tensor, reach: int) -> Tensor:
    """Of each query's scores for the keys of its tile and the margin, those in its window.

    The window of the query in row i and column j of a tile begins at row i and column j of the keys, so that it is
    a view with longer strides: one step to the next query is also one step among the keys.

    Args:
        scores: (B, heads, T, TILE*TILE, S*S), S = TILE + 2 * reach.

    Returns:
        (B, heads, T, TILE*TILE, W*W), W = 2 * reach + 1.
    """
    if torch.compiler.is_compiling():  # exporters know no strides
        return _cut_windows(scores, reach)
    return scores.as_strided(*_window_strides(scores.contiguous(), reach)).flatten(5, 6).flatten(3, 4)


def windows_to_tiles(weights: Tensor, reach: int) -> Tensor:
    """The inverse of ``windows_of``; keys outside the window get 0."""
    if torch.compiler.is_compiling():
        return _lay_windows(weights, reach)
    keys = (TILE + 2 * reach) ** 2
    spread = weights.new_zeros(*weights.shape[:-1], keys)
    size, stride = _window_strides(spread, reach)
    spread.as_strided(size, stride).copy_(weights.view(size))
    return spread


def _window_strides(scores: Tensor, reach: int) -> tuple[list[int], list[int]]:
    """Size (B, heads, T, TILE, TILE, W, W) and strides of the windows' view of contiguous ``scores``."""
    side, window = TILE + 2 * reach, 2 * reach + 1
    query = scores.stride(3)
    size = [*scores.shape[:3], TILE, TILE, window, window]
    return size, [*scores.stride()[:3], TILE * query + side, query + 1, side, 1]


def _cut_windows(scores: Tensor, reach: int) -> Tensor:
    """``windows_of`` by padding and slicing alone, one axis after the other."""
    side = TILE + 2 * reach
    across = scores.flatten(0, 2).unflatten(2, (side, side)).unflatten(1, (TILE, TILE))  # n i j S S
    across = _from_each(across.transpose(2, 3))  # n i S j W: columns became offsets
    down = _from_each(across.permute(0, 3, 4, 1, 2))  # n j W i W: and rows
    windows = down.permute(0, 3, 1, 4, 2).flatten(3, 4).flatten(1, 2)
    cut: Tensor = windows.unflatten(0, scores.shape[:3])
    return cut


def _lay_windows(weights: Tensor, reach: int) -> Tensor:
    """``windows_to_tiles`` by padding and slicing alone: the steps of ``_cut_windows`` the other way round."""
    window = 2 * reach + 1
    down = weights.flatten(0, 2).unflatten(2, (window, window)).unflatten(1, (TILE, TILE))  # n i j W W
    down = _to_each(down.permute(0, 2, 4, 1, 3))  # n j W i S
    across = _to_each(down.permute(0, 3, 4, 1, 2))  # n i S j S
    tiles = across.transpose(2, 3).flatten(3, 4).flatten(1, 2)
    laid: Tensor = tiles.unflatten(0, weights.shape[:3])
    return laid


def _from_each(lines: Tensor) -> Tensor:
    """(..., L, L+W-1) -> (..., L, W): in row l the W numbers from place l on."""
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


def outside_map(size: tuple[int, int], reach: int, like: Tensor) -> Tensor:
    """(T, TILE*TILE, W*W) of the dtype of ``like``: MASKED_LOGIT where a window leaves the map, else 0."""
    inside = like.new_zeros(1, 1, size[0] * size[1], 1)
    inside = into_tiles(inside + 1, size, reach)  # 1 1 T S*S 1
    every_query = inside.transpose(3, 4).expand(-1, -1, -1, TILE * TILE, -1).contiguous()
    return (windows_of(every_query, reach)[0, 0] - 1) * -MASKED_LOGIT
