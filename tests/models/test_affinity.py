"""Reading a memory by distance equals a loop over queries and tokens."""

from __future__ import annotations

import math

import pytest
import torch

from limpet.models.affinity import affinity, read_by_distance, repeated
from limpet.models.attention import padding_bias


@pytest.mark.parametrize("top_k", [None, 3, 50])
def test_it_equals_a_loop(top_k: int | None) -> None:
    query, key, value = torch.randn(2, 4, 8), torch.randn(2, 10, 8), torch.randn(2, 10, 5)
    found = read_by_distance(query, key, value, top_k=top_k)
    for b in range(2):
        for q in range(4):
            nearness = [-((query[b, q] - k) ** 2).sum().item() / math.sqrt(8) for k in key[b]]
            read = sorted(range(10), key=lambda m: -nearness[m])[:top_k]
            total = sum(math.exp(nearness[m]) for m in read)
            expected = sum(value[b, m] * (math.exp(nearness[m]) / total) for m in read)
            torch.testing.assert_close(found[b, q], expected, atol=1e-5, rtol=1e-5)


def test_frames_that_are_padding_are_not_read() -> None:
    query, key = torch.randn(1, 4, 8), torch.randn(1, 12, 8)
    bias = padding_bias(torch.tensor([[1.0, 0.0, 1.0]]), 4, query)
    weights = affinity(query, key, bias)
    assert (weights[:, :, 4:8] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 4))


def test_keys_of_half_precision_are_compared_in_full() -> None:
    """Far from the origin, products of bf16 would tell no neighbours apart."""
    key = (100 + torch.randn(1, 30, 16)).to(torch.bfloat16)
    weights = affinity(key, key)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights, affinity(key.float(), key.float()))
    assert read_by_distance(key, key, key).dtype == torch.bfloat16


def test_a_frame_that_is_in_memory_is_found() -> None:
    memory = torch.randn(2, 3 * 4, 8)
    newest = torch.stack([memory[0, 4:8], torch.randn(4, 8)])
    assert repeated(memory, newest).tolist() == [[1.0], [0.0]]
