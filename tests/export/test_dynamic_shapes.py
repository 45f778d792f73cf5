"""Graphs for any size: what is told apart by number in fixed ones follows from what is given."""

from __future__ import annotations

import pytest
import torch
from networks import lively_model, small_config
from torch import Tensor, nn
from torch.export import Dim

from limpet.core.errors import ModelError
from limpet.export.dynamic_shapes import FRAME, DynamicStart, DynamicStep, _nearest, check_open, open_specs
from limpet.models.attention import attend_locally
from limpet.models.fixed_size import FixedConfig, StartGraph, StepGraph
from limpet.models.fixed_size import _nearest as fixed_nearest
from limpet.models.inference import for_inference
from limpet.runtime.manifest import TensorSpec


class Windows(nn.Module):
    """``attend_locally`` over maps (B, C, h, w)."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor, relative: Tensor) -> Tensor:
        size = (query.shape[2], query.shape[3])
        tokens = [each.flatten(2).transpose(1, 2) for each in (query, key, value, relative)]
        return attend_locally(*tokens, size=size)


@pytest.mark.parametrize(("source", "target"), [(480, 481), (854, 849), (60, 65), (1080, 481), (33, 17)])
def test_nearest_pixels_are_those_of_the_fixed_graphs(source: int, target: int) -> None:
    assert torch.equal(_nearest(source, target), fixed_nearest(source, target))


@pytest.mark.parametrize("memory", ["ring", "bounded"])
@torch.inference_mode()
def test_open_graphs_equal_fixed_ones(memory: str) -> None:
    model = for_inference(lively_model(small_config(gap=2)), torch.device("cpu"), "fp32")
    config = FixedConfig((60, 84), (65, 81), objects=2, ring=2, gap=1, memory=memory)
    image, mask = torch.randn(1, 3, 65, 81), torch.zeros(1, 60, 84, dtype=torch.uint8)
    mask[:, 10:30, 10:50] = 1
    state, wanted = DynamicStart(model, config)(image, mask), StartGraph(model, config)(image, mask)
    assert state.pop(FRAME) is mask and state.keys() == wanted.keys()
    assert all(torch.equal(state[name], wanted[name]) for name in wanted)
    found = DynamicStep(model, config)(image, state | {FRAME: mask})
    fixed = StepGraph(model, config)(image, wanted)
    assert torch.equal(found[0], fixed[0]) and found[3].keys() == fixed[3].keys()


def test_windows_are_captured_for_any_size() -> None:
    def maps(height: int, width: int) -> tuple[Tensor, ...]:
        return tuple(torch.randn(1, channels, height, width) for channels in (8, 8, 6, 25))

    open_sides = {2: Dim.AUTO, 3: Dim.AUTO}
    captured = torch.export.export(Windows(), maps(7, 9), dynamic_shapes=(open_sides,) * 4, strict=False)
    for size in ((12, 5), (20, 31)):
        inputs = maps(*size)
        torch.testing.assert_close(captured.module()(*inputs), Windows()(*inputs))


def test_a_side_that_was_fixed_in_silence_is_told() -> None:
    specs = open_specs((TensorSpec("image", (1, 3, 65, 81), "float32"),))
    assert specs[0].shape == (1, 3, -1, -1)
    check_open("the step graph", specs, {"image": [1, 3, None, None]})
    with pytest.raises(ModelError, match="side 3 of 'image' came out as 81"):
        check_open("the step graph", specs, {"image": [1, 3, None, 81]})
