"""The image encoders: equal to the reference, frozen where they should be, fit for any size and dtype."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from golden import ATOL, arrays, clip, golden_state, manifest_of, normalise, thinned
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from limpet.core.errors import ModelError
from limpet.models.frozen_norm import FrozenBatchNorm2d, fold_frozen_norms, freeze
from limpet.models.mobilenet import MobileNetV2
from limpet.models.resnet import ResNet50
from limpet.models.swin import SwinB, SwinConfig, WindowAttention, from_windows, shift_mask, to_windows

SMALL_SWIN = SwinConfig(width=16, depths=(2, 2, 2), heads=(1, 2, 4))


def small_swin(freeze_at: int = 0) -> SwinB:
    return SwinB(freeze_at, SMALL_SWIN)


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


def randomise_norms(module: nn.Module) -> None:
    for norm in module.modules():
        if isinstance(norm, FrozenBatchNorm2d):
            norm.weight.uniform_(0.8, 1.2)
            norm.bias.normal_(0, 0.1)
            norm.running_mean.normal_(0, 0.2)
            norm.running_var.uniform_(0.5, 1.5)


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


def test_freezing_two_stages_of_mobilenet_freezes_what_the_reference_freezes(shared: Path) -> None:
    expected = json.loads((shared / "golden/deaott/train.json").read_text())["frozen"]
    encoder = MobileNetV2(freeze_at=2)
    assert [f"encoder.{name}" for name, p in encoder.named_parameters() if not p.requires_grad] == expected


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


def test_freezing_more_stages_than_there_are_is_refused() -> None:
    with pytest.raises(ModelError, match=r"cannot freeze 6 stages: MobileNetV2 has 5 .* choose 0 to 5"):
        MobileNetV2(freeze_at=6)
    with pytest.raises(ModelError, match="choose 0 to 4"):
        freeze(small_swin(), -1)


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


def test_frozen_norm_is_batch_norm_in_eval_mode() -> None:
    norm, x = FrozenBatchNorm2d(6), torch.randn(2, 6, 5, 7)
    randomise_norms(norm)
    expected = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0, 1e-5)
    torch.testing.assert_close(norm(x), expected, atol=1e-6, rtol=1e-6)
    assert list(norm.parameters()) == []
    assert set(norm.state_dict()) == {"weight", "bias", "running_mean", "running_var"}


def test_frozen_norm_keeps_the_input_s_dtype_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert FrozenBatchNorm2d(4)(torch.randn(1, 4, 3, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_an_ordinary_batch_norm_s_file_loads_into_a_frozen_one() -> None:
    source, target = nn.BatchNorm2d(4), FrozenBatchNorm2d(4)
    source.train()(torch.randn(8, 4, 5, 5) * 3 + 1)
    state = source.state_dict()
    target.load_state_dict(state, strict=True)
    assert "num_batches_tracked" in state
    x = torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(target(x), source.eval()(x), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("build", [MobileNetV2, ResNet50])
def test_folding_gives_an_equal_function_without_norms(build: Callable[[int], nn.Module]) -> None:
    encoder, image = build(2).eval(), torch.randn(1, 3, 65, 81)
    randomise_norms(encoder)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    folded = fold_frozen_norms(encoder)
    with torch.inference_mode():
        for a, b in zip(encoder(image), folded(image), strict=True):
            assert (a - b).abs().max() < 1e-5 * a.abs().max()
    assert not any(isinstance(module, FrozenBatchNorm2d) for module in folded.modules())
    weights = {n: p.requires_grad for n, p in encoder.named_parameters()}
    assert {n: p.requires_grad for n, p in folded.named_parameters() if n in weights} == weights
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_folding_keeps_the_convolution_s_own_bias_and_foreign_norms() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), FrozenBatchNorm2d(8), nn.GroupNorm(2, 8), FrozenBatchNorm2d(8))
    randomise_norms(model)
    folded, x = fold_frozen_norms(model), torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(folded(x), model(x), atol=1e-5, rtol=1e-5)
    assert isinstance(folded[1], nn.Identity)
    assert isinstance(folded[3], FrozenBatchNorm2d)  # there is no convolution before it


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


def test_swin_pads_with_zeros_at_the_right_and_bottom() -> None:
    encoder, image = small_swin().eval(), torch.randn(1, 3, 50, 71)
    with torch.inference_mode():
        for a, b in zip(encoder(image), encoder(F.pad(image, (0, 1, 0, 2))), strict=True):
            torch.testing.assert_close(a, b)


def test_windows_are_cut_and_put_back() -> None:
    x = torch.arange(2 * 6 * 9 * 4.0).reshape(2, 6, 9, 4)
    windows = to_windows(x, 3)
    assert windows.shape == (12, 9, 4)
    assert torch.equal(windows[7], x[1, :3, 3:6].reshape(9, 4))
    assert torch.equal(from_windows(windows, 3, x.shape), x)


def test_shifted_windows_hold_apart_what_is_far_apart() -> None:
    h, w, side = 14, 21, 7
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    places = torch.stack([rows, columns], -1)[None].roll((-3, -3), (1, 2))
    places = to_windows(places, side)  # (windows, cells, 2): where each cell was before the shift
    far = ((places[:, :, None] - places[:, None]).abs() >= side).any(-1)
    assert far.any()
    assert torch.equal(shift_mask(h, w, side, torch.device("cpu")), far)


def test_window_attention_equals_a_slow_loop() -> None:
    side, heads, width = 2, 2, 6
    attention = WindowAttention(width, heads, side)
    nn.init.normal_(attention.relative_position_bias_table)
    x, apart = torch.randn(4, side**2, width), torch.rand(2, side**2, side**2) < 0.3
    apart &= ~torch.eye(side**2, dtype=torch.bool)
    with torch.inference_mode():
        torch.testing.assert_close(attention(x, apart), _slow_attention(attention, x, apart, side))


def _slow_attention(attention: WindowAttention, x: Tensor, apart: Tensor, side: int) -> Tensor:
    size = x.shape[-1] // attention.heads
    outputs = torch.zeros_like(x)
    for window in range(len(x)):
        q, k, v = attention.qkv(x[window]).chunk(3, dim=-1)
        for head in range(attention.heads):
            part = slice(head * size, (head + 1) * size)
            for i in range(side**2):
                scores = torch.full((side**2,), float("-inf"))
                for j in range(side**2):
                    down, right = i // side - j // side, i % side - j % side
                    row = (down + side - 1) * (2 * side - 1) + right + side - 1
                    bias = attention.relative_position_bias_table[row, head]
                    if not apart[window % len(apart), i, j]:
                        scores[j] = q[i, part] @ k[j, part] / math.sqrt(size) + bias
                outputs[window, i, part] = scores.softmax(0) @ v[:, part]
    return attention.proj(outputs)


def test_drop_path_skips_whole_samples_in_training_only() -> None:
    encoder = SwinB(config=SwinConfig(width=16, depths=(2, 2, 2), heads=(1, 2, 4), drop_path=0.5))
    block, branch = encoder.layers[2].blocks[-1], torch.ones(400, 2, 2, 1)
    dropped = block.train()._drop(branch).flatten(1)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(dropped.amin(1), dropped.amax(1))
    assert 0.8 < dropped.mean() < 1.2
    assert block.eval()._drop(branch) is branch
    assert encoder.layers[0].blocks[0].train()._drop(branch) is branch  # the rate grows from 0


def test_swin_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ModelError, match="stage 1 has 32 channels, which 3 heads cannot share"):
        SwinConfig(width=16, heads=(1, 3, 4))
    with pytest.raises(ModelError, match=r"drop_path must be in \[0, 1\), not 1"):
        SwinConfig(drop_path=1)
