"""int8 after training: convolutions and linear layers in 8 bits, and in OpenVINO the products of attention too.

For ONNX and OpenVINO the ranges of activations are measured along a clip; softmax and norms stay in float.

For LiteRT only weights are rounded. Rounding moves weights a little to either side. What enters a layer after a ReLU is
not zero on average, so a channel's sum moves by much the same amount everywhere, and its bias can take that back, at no
cost in bytes or time (Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, 2019,
section 4.2; here measured on frames). ``correct_for_int8`` does this for the encoder.
"""

from __future__ import annotations

import copy
import io
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from limpet.core.errors import MissingExtraError
from limpet.core.without_telemetry import without_telemetry
from limpet.export.calibration_clip import Feeds, SampleClip
from limpet.export.program import Programs, make_programs
from limpet.models.base import Model
from limpet.tracking.processing import prepare_image

if TYPE_CHECKING:
    import openvino as ov
    from onnx import ModelProto


ENCODER = ".encoder."
KEPT = (".conv_out.", ENCODER)
"""Parts of a weight's name that keep its convolution in float in ONNX: the last layer, whose sums are the scores
themselves, and the encoder. Measured on the demo clip, four frames from fp32's states: all but the last layer in int8
gives a mean IoU of 0.968 with fp32, with the encoder in float 0.996; single blocks of it change little."""


def onnx_int8(model: ModelProto, feeds: Feeds) -> ModelProto:
    """An ONNX graph with convolutions and linear layers in int8 (QDQ, weights by channel).

    Raises:
        MissingExtraError: onnxruntime is not installed.
    """
    try:
        from onnxruntime import quantization as ort
        from onnxruntime.quantization import shape_inference
    except ImportError as error:
        raise MissingExtraError("int8 for onnx", "export", "onnxruntime") from error
    import onnx

    with tempfile.TemporaryDirectory(prefix="limpet-int8-") as folder, _quietly():
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        shape_inference.quant_pre_process(source, source, skip_symbolic_shape=True)
        ort.quantize_static(
            source,
            target,
            _reader(ort.CalibrationDataReader, feeds),
            quant_format=ort.QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
            nodes_to_exclude=_kept(onnx.load(source)),
            per_channel=True,
            activation_type=ort.QuantType.QUInt8,
            weight_type=ort.QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
        return onnx.load(target)


def openvino_int8(model: ov.Model, feeds: Feeds) -> ov.Model:
    """An OpenVINO graph with convolutions, linear layers and attention's products in int8, but for the encoder.

    nncf corrects the bias that rounding brings. The products keep their accuracy in 8 bits and are a third of the work;
    softmax and norms stay in float. Measured along 17 real frames: all in int8 gives a mean IoU of 0.965 with fp32,
    with the encoder in float 0.992, as much as bf16 alone, for 6 % more time.

    Raises:
        MissingExtraError: nncf is not installed.
    """
    try:
        with without_telemetry():
            import nncf
    except ImportError as error:
        raise MissingExtraError("int8 for openvino", "int8", "nncf") from error
    nncf.set_log_level(logging.ERROR)
    names = [port.get_any_name() for port in model.inputs]
    with redirect_stdout(io.StringIO()):  # it draws bars that end up in logs
        return nncf.quantize(
            model,
            nncf.Dataset([{name: feed[name] for name in names} for feed in feeds]),
            subset_size=len(feeds),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(names=_of_the_encoder(model), validate=False),
        )


def _of_the_encoder(model: ov.Model) -> list[str]:
    """The names of the encoder's convolutions, told by the names of their weights."""
    found = []
    for node in model.get_ops():
        if node.get_type_name() not in ("Convolution", "GroupConvolution"):
            continue
        weight = node.input_value(1).get_node()
        while weight.get_type_name() != "Constant":
            weight = weight.input_value(0).get_node()
        if ENCODER in weight.get_friendly_name():
            found.append(node.get_friendly_name())
    return found


def _kept(model: ModelProto) -> list[str]:
    return [
        node.name for node in model.graph.node if any(part in name for name in node.input for part in KEPT)
    ]


def _reader(base: type, feeds: Sequence[dict[str, NDArray[np.generic]]]) -> Any:
    class Reader(base):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(feeds)

        def get_next(self) -> dict[str, NDArray[np.generic]] | None:
            return next(self._left, None)

    return Reader()


@contextmanager
def _quietly() -> Iterator[None]:
    """The tools log advice on each step to the root logger."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


Layer = nn.Conv2d | nn.Linear
FRAMES = 8
"""Frames of the clip, spread evenly, on which the shift is measured."""
LEVELS = 127


def correct_for_int8(programs: Programs, clip: SampleClip, smallest: int = 0) -> Programs:
    """Both graphs anew, with the encoder's biases corrected along a clip. The weights stay as they are.

    Args:
        smallest: weights of fewer numbers will not be rounded; correcting for them would do harm.
    """
    model: Any = programs.step.module.tracker.model  # type: ignore[union-attr]
    chosen = np.unique(np.linspace(0, len(clip.frames) - 1, FRAMES).round().astype(int))
    size, device = programs.config.network_size, torch.device("cpu")
    images = [prepare_image(clip.frames[index], size, device) for index in chosen]
    return make_programs(correct_biases(model, images, smallest), programs.config)


@torch.no_grad()
def correct_biases(model: Model, images: Iterable[Tensor], smallest: int) -> Model:
    """A copy of ``model`` whose encoder has corrected biases. images: (1, 3, h, w) float32 each, normalised."""
    ready = copy.deepcopy(model)
    lost: dict[Layer, list[Tensor]] = {layer: [] for layer in rounded_layers(ready.encoder, smallest)}

    def note(layer: Any, given: tuple[Tensor, ...], _: Tensor) -> None:
        lost[layer].append(rounding_shift(layer, given[0]))

    handles = [layer.register_forward_hook(note) for layer in lost]
    for image in images:
        ready.encoder(image)
    for handle in handles:
        handle.remove()
    for layer, each in lost.items():
        if each and layer.bias is not None:
            layer.bias += torch.stack(each).mean(0)
    return ready


def rounded_layers(encoder: nn.Module, smallest: int) -> list[Layer]:
    """The layers with a weight that is rounded and a bias that can be corrected."""
    layers = [part for part in encoder.modules() if isinstance(part, Layer)]
    return [layer for layer in layers if layer.bias is not None and layer.weight.numel() >= smallest]


def rounding_shift(layer: Layer, x: Tensor) -> Tensor:
    """How much each output channel's sums shrink on average when the layer's weights are rounded: (channels out,).

    Args:
        x: the layer's input, (B, C, h, w) for a convolution, (..., C) for a linear layer.
    """
    change = layer.weight - rounded(layer.weight)
    if isinstance(layer, nn.Linear):
        return F.linear(x, change).flatten(0, -2).mean(0)
    sums = F.conv2d(x, change, None, layer.stride, layer.padding, layer.dilation, layer.groups)
    return sums.mean((0, 2, 3))


def rounded(weight: Tensor) -> Tensor:
    """A weight (channels out, ...) after int8 with a scale for each channel, from -127 to 127, as LiteRT stores it."""
    most = weight.abs().amax(tuple(range(1, weight.dim())), keepdim=True)
    scale = (most / LEVELS).clamp_min(torch.finfo(weight.dtype).tiny)
    return (weight / scale).round() * scale
