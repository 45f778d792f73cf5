"""What does not fit: complete lists that a person can read."""

from __future__ import annotations

import torch
from torch import Tensor

from limpet.weights.fit import compare, parts


def tensors(**shapes: tuple[int, ...]) -> dict[str, Tensor]:
    return {name.replace("_", "."): torch.empty(shape, device="meta") for name, shape in shapes.items()}


def test_equal_names_and_shapes_fit() -> None:
    one = tensors(a_b=(2, 3), a_c=(4,))
    assert compare(one, dict(reversed(one.items())))
    assert compare(one, one).lines() == []


def test_every_difference_is_listed() -> None:
    expected = tensors(a_b=(2, 3), a_c=(4,), d_e=(1,), d_f=(1,))
    given = tensors(a_b=(3, 2), a_c=(4,), a_x=(1,), g_h=(1,), g_i=(2,), g_j=())
    fit = compare(expected, given)
    assert not fit
    assert fit.counts == (2, 4, 1)
    assert fit.lines() == [
        "missing: d.* (2 tensors)",
        "unexpected: a.x",
        "unexpected: g.* (3 tensors)",
        "of another shape: a.b is (3, 2), expected (2, 3)",
    ]


def test_a_summary_names_the_first_three() -> None:
    expected = tensors(a_k=(1,), b_k=(1,), c_k=(1,), d_k=(1,))
    assert compare(expected, {}).summary() == "4 missing (a.k, b.k, c.k, …)"


def test_a_part_is_as_large_as_can_be() -> None:
    names = ["layers.1.a.weight", "layers.1.a.bias", "layers.1.b", "layers.2.a", "head"]
    assert parts(names, ["layers.0.a"]) == ["layers.1.* (3 tensors)", "layers.2.a", "head"]
    assert parts(names, ["layers.1.b.c"]) == [
        "layers.1.a.* (2 tensors)", "layers.1.b", "layers.2.a", "head"
    ]  # fmt: skip
    assert parts(names, []) == ["layers.* (4 tensors)", "head"]
    assert parts([], ["a"]) == []
