"""How STCN reads a memory: by distance instead of by product, of the nearest tokens alone (STCN, sections 3.2 and 3.3).

The similarity of a query q and a memory key k is -|q - k|^2 / sqrt(C). The softmax over the memory does not see the
term |q|^2, which is left out.

Legend: B batch; T frames; M tokens of one frame; C channels of keys; V channels of values.
"""

from __future__ import annotations

import torch
from torch import Tensor


def affinity(query: Tensor, key: Tensor, bias: Tensor | None = None, top_k: int | None = None) -> Tensor:
    """How much of each memory token each query token reads.

    Distances are differences of large numbers, so they are computed in float32 whatever the keys are.

    Args:
        query: (B, M, C).
        key: (B, T*M, C).
        bias: (B, 1, T*M), added to the similarities: MASKED_LOGIT for tokens that are not to be read.
        top_k: each query reads this many of the most similar tokens; None reads all.

    Returns:
        (B, M, T*M) float32, rows add up to 1.
    """
    query, key = query.float(), key.float()
    scale = key.shape[-1] ** -0.5
    nearness = -scale * key.square().sum(dim=-1).unsqueeze(1)  # B 1 T*M
    similarity = torch.baddbmm(
        nearness if bias is None else nearness + bias, query * (2 * scale), key.transpose(1, 2)
    )
    if top_k is None or top_k >= key.shape[1]:
        return similarity.softmax(dim=-1)
    best, where = similarity.topk(top_k, dim=-1)
    return torch.zeros_like(similarity).scatter(-1, where, best.softmax(dim=-1))


def read_by_distance(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None, top_k: int | None = None
) -> Tensor:
    """The values (B, T*M, V) of the memory by ``affinity``: (B, M, V) in their dtype."""
    return affinity(query, key, bias, top_k).to(value.dtype) @ value


def repeated(key: Tensor, newest: Tensor) -> Tensor:
    """Which elements of the batch have a frame in memory already.

    Args:
        key: (B, T*M, C), the long-term memory.
        newest: (B, M, C), the frame.

    Returns:
        (B, 1), 1 where one of the T frames has exactly these keys, else 0; of the dtype of the keys.
    """
    frames = key.unflatten(1, (-1, newest.shape[1]))  # B T M C
    same = (frames == newest.unsqueeze(1)).flatten(2).to(key.dtype).amin(dim=2)  # B T
    found: Tensor = same.amax(dim=1, keepdim=True)
    return found
