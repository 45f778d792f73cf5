"""The image encoders: equal to the reference, frozen where they should be, fit for any size and dtype."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from golden import ATOL, arrays, clip, golden_state, manifest_of, normalise, thinned
from small_encoders import small_swin
from torch import Tensor, nn
from torch.nn import functional as F

from limpet.models.frozen_norm import fold_frozen_norms
from limpet.models.mobilenet import MobileNetV2
from limpet.models.resnet import ResNet50
from limpet.models.swin import SwinB

LIGHT: list[Callable[[int], nn.Module]] = [MobileNetV2, ResNet50, small_swin]
light = pytest.mark.parametrize("build", LIGHT, ids=["mobilenet", "resnet", "swin"])
reference = pytest.mark.parametrize(
    ("folder", "build", "clip_name", "record"),
    [
        ("deaott", MobileNetV2, "clip_a_129x225_3obj", "mid_a"),
        ("r50_deaotl", ResNet50, "clip_a_129x225_3obj", "mid_a"),
        ("swinb_deaotl", SwinB, "clip_swin_128x224_3obj", "mid_a_swin"),
    ],
    ids=["mobilenet", "resnet", "swin"],
)


@reference
def test_equals_the_reference(
    shared: Path, folder: str, build: Callable[[], nn.Module], clip_name: str, record: str
) -> None:
    golden = shared / "golden" / folder
    encoder, state = _with_golden_weights(golden, build)
    images = normalise(clip(clip_name).frames[:2])
    expected = arrays(golden, record)
    for variant in (encoder, fold_frozen_norms(encoder)):
        with torch.inference_mode():
            maps = list(variant(images))
            maps[3] = F.conv2d(maps[3], state["encoder_projector.weight"], state["encoder_projector.bias"])
        for level, features in enumerate(maps):
            for frame, prefix in enumerate(("ref", "f1")):
                key = f"{prefix}/enc{level}"
                actual = thinned(golden, record, key, features[frame : frame + 1])
                torch.testing.assert_close(actual, torch.from_numpy(expected[key]), atol=ATOL, rtol=0)


def _with_golden_weights(golden: Path, build: Callable[[], nn.Module]) -> tuple[nn.Module, dict[str, Tensor]]:
    encoder = build().eval()
    built = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    state = golden_state(manifest_of(golden), "encoder", left_as_built=built)
    own = {key.removeprefix("encoder."): value for key, value in state.items() if key.startswith("encoder.")}
    encoder.load_state_dict(own, strict=True)
    return encoder, state


@reference
def test_parameters_and_buffers_are_those_of_the_reference(
    shared: Path, folder: str, build: Callable[[], nn.Module], clip_name: str, record: str
) -> None:
    with torch.device("meta"):
        encoder = build()
    parameters = {name for name, _ in encoder.named_parameters()}
    facts = manifest_of(shared / "golden" / folder)["keys"]
    expected = {
        key.removeprefix("encoder."): (value["shape"], value["kind"] == "parameter")
        for key, value in facts.items()
        if key.startswith("encoder.")
    }
    actual = {name: (list(value.shape), name in parameters) for name, value in encoder.state_dict().items()}
    assert actual == expected


@light
@pytest.mark.parametrize("stages", [0, 1, 2])
def test_only_the_frozen_stages_get_no_gradient(build: Callable[[int], nn.Module], stages: int) -> None:
    encoder = build(stages)
    frozen = {id(p) for stage in encoder.stages()[:stages] for p in stage.parameters()}
    assert len(frozen) > stages - 1
    torch.stack([maps.square().mean() for maps in encoder(torch.randn(2, 3, 65, 81))]).sum().backward()
    for name, parameter in encoder.named_parameters():
        if id(parameter) in frozen:
            assert parameter.grad is None, name
        else:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().sum() > 0, name


@light
@pytest.mark.parametrize("size", [(64, 96), (65, 97), (50, 71), (17, 33)])
def test_any_size_gives_maps_of_rounded_up_strides(
    build: Callable[[], nn.Module], size: tuple[int, int]
) -> None:
    encoder = build()
    with torch.inference_mode():
        maps = encoder(torch.randn(2, 3, *size))
    assert len(maps) == 4
    for features, channels, stride in zip(maps, encoder.channels, (4, 8, 16, 16), strict=True):
        assert features.shape == (2, channels, *(math.ceil(length / stride) for length in size))
        assert features.isfinite().all()


@light
def test_bfloat16_stays_near_float32(build: Callable[[], nn.Module]) -> None:
    encoder, image = build().eval(), torch.randn(1, 3, 65, 65)
    with torch.inference_mode():
        exact = encoder(image)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = encoder(image)
        low = encoder.to(torch.bfloat16)(image.to(torch.bfloat16))
    for a, b, c in zip(exact, mixed, low, strict=True):
        assert c.dtype == torch.bfloat16
        for other in (b.float(), c.float()):
            assert (a - other).norm() < 0.05 * a.norm()


def test_a_clip_is_encoded_as_its_frames_are_one_by_one() -> None:
    for build in LIGHT:
        encoder, images = build(0).eval(), torch.randn(3, 3, 65, 97)
        with torch.inference_mode():
            together, alone = encoder(images), [encoder(image[None]) for image in images]
        for level, features in enumerate(together):
            single = torch.cat([maps[level] for maps in alone])
            torch.testing.assert_close(features, single, atol=1e-4, rtol=1e-4)
