"""What every loss does with its inputs."""

from __future__ import annotations

import pytest
import torch

from limpet.distillation.losses.inputs import expect_same, full_precision


@pytest.mark.parametrize(
    ("given", "computed"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_losses_are_computed_in_float32_or_better(given: torch.dtype, computed: torch.dtype) -> None:
    tensor = torch.tensor([0.5, 2.0], dtype=given)
    assert full_precision(tensor).dtype == computed
    assert full_precision(tensor).tolist() == [0.5, 2.0]


def test_shapes_that_differ_are_refused_with_both_and_an_advice() -> None:
    expect_same("sizes", (2, 3), torch.Size((2, 3)), "resize one")
    message = r"sizes differ: \(2, 3\) of the student, \(2, 4\) of the teacher; resize one"
    with pytest.raises(ValueError, match=message):
        expect_same("sizes", (2, 3), (2, 4), "resize one")
