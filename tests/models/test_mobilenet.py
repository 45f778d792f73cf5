"""What is MobileNetV2's own: the stages that the reference freezes, and the published weights."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from golden import clip, normalise
from safetensors.torch import load_file
from torch import nn

from limpet.models.mobilenet import MobileNetV2


def test_freezing_two_stages_of_mobilenet_freezes_what_the_reference_freezes(shared: Path) -> None:
    expected = json.loads((shared / "golden/deaott/train.json").read_text())["frozen"]
    encoder = MobileNetV2(freeze_at=2)
    assert [f"encoder.{name}" for name, p in encoder.named_parameters() if not p.requires_grad] == expected


def test_imagenet_weights_load(shared: Path) -> None:
    weights = load_file(shared / "weights" / "mobilenet_v2_imagenet.safetensors")
    encoder = MobileNetV2().eval()
    encoder.load_state_dict(weights, strict=True)
    expected = weights["features.18.0.weight"].float()
    assert torch.equal(encoder.features[18][0].weight, expected)
    frame = normalise(clip("clip_a_129x225_3obj").frames[:1])
    with torch.inference_mode():
        maps = encoder(frame)
    assert all(features.isfinite().all() and features.std() > 0.01 for features in maps)


def test_dilation_takes_the_place_of_the_last_stride() -> None:
    encoder = MobileNetV2()
    strides = [module.stride[0] for module in encoder.modules() if isinstance(module, nn.Conv2d)]
    assert math.prod(strides) == 16
    dilations = [module.dilation[0] for module in encoder.modules() if isinstance(module, nn.Conv2d)]
    assert dilations.count(2) == 3, "two blocks of 160 channels and the one of 320"
