"""The two ways of reading a memory: every token of it (long-term) or a window around each place (short-term).

Tokens are row-major over the feature map: token ``i * w + j`` is cell (i, j) of an h x w map.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MASKED_LOGIT = -1e8  # a score that softmax turns into exactly zero

# Rows of queries that share one block of keys. Fewer rows waste less work outside the window, more rows make
# larger matrix products and fewer calls; from 3 to 8 rows it made no difference at 31 x 54 cells on two cores.
ROWS_PER_BAND = 8


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
    """Softmax attention over all memory tokens (DeAOT, eq. 2), one head.

    Plain products are used on purpose: scaled_dot_product_attention is slower on CPUs where the values are
    wider than the keys, as they are here (128 and 1024).

    Args:
        query: (B, h*w, C), already divided by sqrt(C).
        key: (B, M, C).
        value: (B, M, V).
        bias: (B, 1, M), added to the scores: MASKED_LOGIT for tokens that are not to be read.

    Returns:
        (B, h*w, V), each row a convex combination of the rows of ``value``.
    """
    return attention_weights(query, key, bias) @ value


def attention_weights(query: Tensor, key: Tensor, bias: Tensor | None = None) -> Tensor:
    """The map of ``attend``: query (B, h*w, C) divided by sqrt(C), key (B, M, C) -> (B, h*w, M), rows add up to 1."""
    scores = query @ key.transpose(1, 2)
    return torch.softmax(scores if bias is None else scores + bias, dim=-1)


def padding_bias(filled: Tensor | None, tokens: int, like: Tensor) -> Tensor | None:
    """Scores that keep attention off the empty places of a memory of fixed size.

    Args:
        filled: (B, F), 1 for each place that holds a frame and 0 for an empty one; None where all are filled.
        tokens: of each frame.

    Returns:
        (B, 1, F*tokens) of the dtype of ``like``, or None.
    """
    if filled is None:
        return None
    bias = ((1 - filled) * MASKED_LOGIT).to(like.dtype)
    return bias.unsqueeze(2).expand(-1, -1, tokens).flatten(1).unsqueeze(1)


def skew(relative: Tensor) -> Tensor:
    """Turn offsets relative to each query into absolute positions.

    Args:
        relative: (..., L, W): for query l of a line, its scores at the offsets 0..W-1.

    Returns:
        (..., L, L + W - 1) with ``out[..., l, l + o] = relative[..., l, o]`` and MASKED_LOGIT
        elsewhere. (Padding a row by
        L and reading the same numbers with rows one shorter moves each row one step further than the last.)
    """
    length, offsets = relative.shape[-2:]
    padded = F.pad(relative, (0, length), value=MASKED_LOGIT).flatten(-2)
    skewed: Tensor = padded[..., : length * (length + offsets - 1)].unflatten(
        -1, (length, length + offsets - 1)
    )
    return skewed


def window_bias(relative: Tensor, first_row: int, height: int) -> tuple[Tensor, slice]:
    """Relative scores of a band of query rows, laid over the keys that the band can see.

    Args:
        relative: (B, n, w, W, W): for each of the band's n x w queries the score of each offset in its window.
        first_row: the row of the map where the band begins.
        height: h, the number of rows of the map.

    Returns:
        (B, n*w, K*w) with MASKED_LOGIT where a key lies outside the query's window, and the slice of the K key rows.
    """
    _, rows, width, window, _ = relative.shape
    reach = window // 2
    top, bottom = max(0, first_row - reach), min(height, first_row + rows + reach)
    by_row = skew(relative.permute(0, 2, 4, 1, 3))  # B w W n (n+W-1): rows become absolute
    by_row = by_row[..., top - first_row + reach : bottom - first_row + reach]  # B w W n K
    by_column = skew(by_row.permute(0, 3, 4, 1, 2))[..., reach : reach + width]  # B n K w w: and columns
    return by_column.transpose(2, 3).flatten(3, 4).flatten(1, 2), slice(top, bottom)


def attend_locally(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    relative: Tensor,
    size: tuple[int, int],
    rows_per_band: int = ROWS_PER_BAND,
) -> Tensor:
    """Softmax attention inside a square window around each query (DeAOT, section 4.2).

    Queries are taken in bands of rows, and a band only meets the key rows within its reach, so that little work
    is done outside the window.

    Args:
        query: (B, h*w, C), already divided by sqrt(C).
        key: (B, h*w, C) of the previous frame.
        value: (B, h*w, V) of the previous frame.
        relative: (B, h*w, W*W), a score for each offset in the W x W window, W odd, rows first.
        size: (h, w).
        rows_per_band: how many rows of queries to take at once; it changes the speed, not the result.

    Returns:
        (B, h*w, V).
    """
    height = size[0]
    window = round(relative.shape[-1] ** 0.5)
    offsets = relative.unflatten(-1, (window, window)).unflatten(1, size)  # B h w W W
    if isinstance(height, torch.SymInt):  # a graph for maps of any size: it cannot have any number of bands
        return _attend_in_band(query, key, value, offsets, 0, height)
    bands = [
        _attend_in_band(query, key, value, offsets, first, min(height, first + rows_per_band))
        for first in range(0, height, rows_per_band)
    ]
    return bands[0] if len(bands) == 1 else torch.cat(bands, dim=1)


def _attend_in_band(
    query: Tensor, key: Tensor, value: Tensor, offsets: Tensor, first: int, last: int
) -> Tensor:
    """``attend_locally`` for the rows from ``first`` to ``last`` of the map; offsets (B, h, w, W, W)."""
    height, width = offsets.shape[1:3]
    bias, rows = window_bias(offsets[:, first:last], first, height)
    tokens = slice(rows.start * width, rows.stop * width)
    scores = query[:, first * width : last * width] @ key[:, tokens].transpose(1, 2)
    return torch.softmax(scores + bias, dim=-1) @ value[:, tokens]
