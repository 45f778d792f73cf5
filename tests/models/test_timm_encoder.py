"""Backbones of timm as encoders: with a stand-in that speaks timm's language, and with timm where it imports."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace

import pytest
import torch
from networks import NARROW, frames, mask_of
from torch import Tensor, nn

from limpet.core.errors import MissingExtraError, ModelError
from limpet.models import DeAOTConfig, build_model
from limpet.models.encoders import build_encoder, find_encoder
from limpet.models.frozen_norm import freeze
from limpet.tracking.tracker import Tracker


class StandIn(nn.Module):
    """What timm's ``create_model(features_only=True)`` returns: parts in a row, some of whose outputs are maps."""

    def __init__(self, strides: Sequence[int], taken: Sequence[int], output_fmt: str) -> None:
        super().__init__()
        before, channels = 1, 3
        for index, stride in enumerate(strides[: max(taken) + 1]):
            self.add_module(f"down_{index}", nn.Conv2d(channels, 4 * (index + 1), 3, stride // before, 1))
            self.add_module(f"norm_{index}", nn.BatchNorm2d(4 * (index + 1)))
            before, channels = stride, 4 * (index + 1)
        self.taken = [f"norm_{index}" for index in taken]
        self.output_fmt = output_fmt
        self.feature_info = SimpleNamespace(
            reduction=lambda: [strides[index] for index in taken],
            channels=lambda: [4 * (index + 1) for index in taken],
            module_name=lambda: [f"norm.{index}" for index in taken],  # timm's name of what is then norm_0
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for name, part in self.named_children():
            x = part(x)
            if name in self.taken:
                maps.append(x.permute(0, 2, 3, 1) if self.output_fmt == "NHWC" else x)
        return maps


KINDS = {  # name -> strides of its maps, layout of its maps
    "plain": ((2, 4, 8, 16, 32), "NCHW"),
    "patches": ((4, 8, 16, 32), "NCHW"),
    "windows": ((4, 8, 16, 32), "NHWC"),
    "twice": ((4, 8, 16, 16), "NCHW"),
    "flat": ((16, 16), "NCHW"),
}


def create_model(
    name: str,
    features_only: bool = False,
    out_indices: tuple[int, ...] | None = None,
    **words: bool,
) -> StandIn:
    known = {"windows": {"strict_img_size"}, "flat": {"dynamic_img_size"}}.get(name, set())
    if not set(words) <= known:
        raise TypeError(f"unexpected keyword argument {words}")
    assert features_only
    assert name != "windows" or words, "must be told to take any size"
    strides, layout = KINDS[name]
    return StandIn(strides, out_indices or range(len(strides)), layout)


def freeze_norms(body: nn.Module) -> nn.Module:
    for part in body.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval().requires_grad_(False)
            part.train = lambda mode=True, part=part: part  # type: ignore[method-assign, misc]
    return body


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("timm")
    module.__dict__.update(
        __version__="0",
        is_model=KINDS.__contains__,
        list_models=lambda: list(KINDS),
        create_model=create_model,
        layers=SimpleNamespace(freeze_batch_norm_2d=freeze_norms),
    )
    monkeypatch.setitem(sys.modules, "timm", module)


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("plain", (8, 12, 16, 16)),
        ("patches", (4, 8, 12, 12)),
        ("windows", (4, 8, 12, 12)),
        ("twice", (4, 8, 16, 16)),  # the last map of a stride
    ],
)
def test_maps_at_strides_4_8_16(name: str, channels: tuple[int, ...]) -> None:
    encoder = build_encoder(f"timm:{name}")
    assert encoder.channels == channels
    maps = encoder(torch.randn(2, 3, 64, 96))
    sizes = [(16, 24), (8, 12), (4, 6), (4, 6)]
    assert [tuple(m.shape) for m in maps] == [(2, c, *size) for c, size in zip(channels, sizes, strict=True)]
    assert not find_encoder(f"timm:{name}").align_corners


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    ("name", "learning"),
    [
        (
            "plain",
            [["down_0", "down_1", "down_2", "down_3"], ["down_1", "down_2", "down_3"], ["down_2", "down_3"]],
        ),
        ("patches", [["down_0", "down_1", "down_2"], ["down_0", "down_1", "down_2"], ["down_1", "down_2"]]),
    ],
)
def test_two_frozen_stages_end_at_stride_4(name: str, learning: list[list[str]]) -> None:
    encoder = build_encoder(f"timm:{name}")
    assert len(encoder.stages()) == 4
    for stages, expected in enumerate(learning):
        freeze(encoder, stages)
        parts = {name.split(".")[0] for name, p in encoder.body.named_parameters() if p.requires_grad}
        assert sorted(parts) == expected, "and no norm ever learns"


@pytest.mark.usefixtures("timm")
def test_a_tracker_runs_with_it() -> None:
    model = build_model(DeAOTConfig(encoder="timm:patches", propagation=NARROW))
    tracker = Tracker(model, precision="fp32")
    first, second = frames(2)
    mask, state = tracker.step(second, tracker.start(first, mask_of(5)))
    assert mask.shape == first.shape[:2]
    assert state.network_size[0] % 16 == state.network_size[1] % 16 == 0


@pytest.mark.usefixtures("timm")
def test_what_timm_does_not_have_is_named() -> None:
    with pytest.raises(ModelError, match=r"timm 0 has no backbone called 'plane'; did you mean plain\?"):
        DeAOTConfig(encoder="timm:plane")
    with pytest.raises(
        ModelError, match=r"timm's flat gives maps at strides 16, 16, but a model reads those at 4, 8, 16"
    ):
        build_encoder("timm:flat")


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)  # makes the import fail
    with pytest.raises(MissingExtraError, match=r"an encoder of timm needs .*pip install 'limpet\[timm\]'"):
        DeAOTConfig(encoder="timm:convnext_tiny")


def test_a_torchvision_of_another_build_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("limpet.models.timm_encoder.importlib.import_module", fail)
    with pytest.raises(
        ModelError,
        match=r"timm is installed but cannot be loaded \(operator .*\): torch .* and torchvision .* same place",
    ):
        DeAOTConfig(encoder="timm:convnext_tiny")


@pytest.mark.parametrize(
    "name", ["convnext_atto", "resnet18", "mobilenetv3_small_050", "swin_tiny_patch4_window7_224"]
)
def test_backbones_of_the_real_library(name: str) -> None:
    try:
        importlib.import_module("timm")
    except Exception as error:  # torchvision of another build than torch raises anything but ImportError
        pytest.skip(f"timm does not import here: {error}")
    encoder = build_encoder(f"timm:{name}").eval()
    maps = encoder(torch.randn(1, 3, 64, 96))
    expected = zip(encoder.channels, [(16, 24), (8, 12), (4, 6), (4, 6)], strict=True)
    assert [tuple(m.shape) for m in maps] == [(1, c, *size) for c, size in expected]
    assert len(encoder.stages()) == 4
    freeze(encoder, 2)
    assert any(not p.requires_grad for p in encoder.parameters())
    assert any(p.requires_grad for p in encoder.parameters())
