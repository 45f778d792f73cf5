"""The two ways of reading a memory: every token of it (long-term), or a window around each cell (short-term).

Tokens are row-major over the feature map: token ``i * w + j`` is cell (i, j) of an h x w map.

Legend: B batch; T frames; M tokens of one frame, M = h*w; C channels of queries and keys; V channels of values;
h w feature cells; ``window`` cells along each side of a square window.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MASKED_LOGIT = -1e10  # a logit that softmax turns into exactly zero

# Rows of queries that share one block of keys. Fewer rows waste less work outside the window, more rows make
# larger matrix products and fewer calls; from 3 to 8 rows it made no difference at 31 x 54 cells on two cores.
ROWS_PER_BAND = 8


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
    """Softmax attention over all memory tokens (DeAOT, eq. 2), one head.

    Plain products are used on purpose: scaled_dot_product_attention is slower on CPUs where values are wider than
    keys, as they are here (1024 and 128 channels).

    Args:
        query: (B, M, C), already divided by sqrt(C).
        key: (B, T*M, C).
        value: (B, T*M, V).
        bias: (B, 1, T*M), added to the logits: MASKED_LOGIT for tokens that are not to be read.

    Returns:
        (B, M, V), each row a convex combination of the rows of ``value``.
    """
    return attention_weights(query, key, bias) @ value


def attention_weights(query: Tensor, key: Tensor, bias: Tensor | None = None) -> Tensor:
    """The attention map of ``attend``: query (B, M, C), key (B, T*M, C) -> (B, M, T*M), whose rows add up to 1."""
    logits = query @ key.transpose(1, 2)
    return torch.softmax(logits if bias is None else logits + bias, dim=-1)


def padding_bias(memory_mask: Tensor | None, tokens: int, like: Tensor) -> Tensor | None:
    """Logits that keep attention off the frames of a memory of fixed size that are padding.

    Args:
        memory_mask: (B, T), 1 for each frame that is to be read and 0 for padding; None where there is no padding.
        tokens: M, of each frame.
        like: a tensor of the dtype of the result.

    Returns:
        (B, 1, T*M), 0 or MASKED_LOGIT; or None.
    """
    if memory_mask is None:
        return None
    bias = ((1 - memory_mask) * MASKED_LOGIT).to(like.dtype)
    return bias.unsqueeze(2).expand(-1, -1, tokens).flatten(1).unsqueeze(1)


def skew(relative: Tensor) -> Tensor:
    """Turn offsets relative to each query into absolute positions.

    Args:
        relative: (..., length, window): for each query of a line, its logits at the offsets 0 to window - 1.

    Returns:
        (..., length, length + window - 1) with ``out[..., l, l + o] = relative[..., l, o]`` and MASKED_LOGIT elsewhere.
        (Padding a row by ``length`` and reading the same numbers with rows one shorter moves each row one step further
        than the last.)
    """
    length, offsets = relative.shape[-2:]
    padded = F.pad(relative, (0, length), value=MASKED_LOGIT).flatten(-2)
    skewed: Tensor = padded[..., : length * (length + offsets - 1)].unflatten(
        -1, (length, length + offsets - 1)
    )
    return skewed


def window_bias(relative: Tensor, first_row: int, height: int) -> tuple[Tensor, slice]:
    """Relative logits of a band of query rows, laid over the keys that the band can see.

    Args:
        relative: (B, rows, w, window, window): for each of the band's rows * w queries the logit of each offset.
        first_row: the row of the map where the band begins.
        height: h, the number of rows of the map.

    Returns:
        (B, rows*w, key rows * w) with MASKED_LOGIT where a key lies outside the query's window, and the slice of the
        key rows.
    """
    _, rows, width, window, _ = relative.shape
    radius = window // 2
    top, bottom = max(0, first_row - radius), min(height, first_row + rows + radius)
    # rows become absolute: B w window rows (rows + window - 1), then B w window rows key_rows
    by_row = skew(relative.permute(0, 2, 4, 1, 3))
    by_row = by_row[..., top - first_row + radius : bottom - first_row + radius]
    # and columns: B rows key_rows w w
    by_column = skew(by_row.permute(0, 3, 4, 1, 2))[..., radius : radius + width]
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

    Queries are taken in bands of rows, and a band only meets the key rows that its windows reach, so that little work
    is done outside the windows.

    Args:
        query: (B, M, C), already divided by sqrt(C).
        key: (B, M, C) of the previous frame.
        value: (B, M, V) of the previous frame.
        relative: (B, M, window*window), a logit for each offset in the window, rows first; ``window`` is odd.
        size: (h, w).
        rows_per_band: how many rows of queries to take at once; it changes the speed, not the result.

    Returns:
        (B, M, V).
    """
    height = size[0]
    window = round(relative.shape[-1] ** 0.5)
    offsets = relative.unflatten(-1, (window, window)).unflatten(1, size)  # B h w window window
    if isinstance(height, torch.SymInt):  # in a graph for maps of any size the number of bands is fixed
        return _attend_in_band(query, key, value, offsets, 0, height)
    bands = [
        _attend_in_band(query, key, value, offsets, first, min(height, first + rows_per_band))
        for first in range(0, height, rows_per_band)
    ]
    return bands[0] if len(bands) == 1 else torch.cat(bands, dim=1)


def _attend_in_band(
    query: Tensor, key: Tensor, value: Tensor, offsets: Tensor, first: int, last: int
) -> Tensor:
    """``attend_locally`` for the rows from ``first`` to ``last`` of the map; offsets (B, h, w, window, window)."""
    height, width = offsets.shape[1:3]
    bias, rows = window_bias(offsets[:, first:last], first, height)
    tokens = slice(rows.start * width, rows.stop * width)
    logits = query[:, first * width : last * width] @ key[:, tokens].transpose(1, 2)
    return torch.softmax(logits + bias, dim=-1) @ value[:, tokens]
