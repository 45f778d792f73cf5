"""SAM's interface, with made-up graphs of the right signature that answer what can be computed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import MaskError, WeightsError
from limpet.segment import Click, load_segmenter
from limpet.segment.sam_onnx import SamOnnx

onnx = pytest.importorskip("onnx", reason="the [export] extra is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT
IMAGE = np.full((48, 96, 3), 120, np.uint8)


def write(
    path: Path, inputs: dict[str, Sequence[object]], outputs: dict[str, Sequence[object]], *nodes: object
) -> Path:
    graph = helper.make_graph(
        list(nodes), "made-up",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


def constant(name: str, value: np.ndarray | float) -> object:
    return helper.make_node(
        "Constant", [], [name], value=onnx.numpy_helper.from_array(np.asarray(value, np.float32))
    )


def square_encoder(path: Path) -> Path:
    """The embedding is the mean of a padded image of 64 x 64."""
    node = helper.make_node("ReduceMean", ["image"], ["embedding"], keepdims=1)
    return write(path, {"image": [1, 3, 64, 64]}, {"embedding": [1, 1, 1, 1]}, node)


def free_encoder(path: Path) -> Path:
    """As other exports: an image of any size, H x W x 3, without normalisation."""
    shape = onnx.numpy_helper.from_array(np.ones(4, np.int64))
    nodes = [
        helper.make_node("ReduceMean", ["input_image"], ["mean"], keepdims=1),
        helper.make_node("Constant", [], ["shape"], value=shape),
        helper.make_node("Reshape", ["mean", "shape"], ["embedding"]),
    ]
    return write(path, {"input_image": ["h", "w", 3]}, {"embedding": [1, 1, 1, 1]}, *nodes)


def decoder(path: Path, *, official: bool = True, size: Sequence[int] = (48, 96)) -> Path:
    """Three masks of one value each; the second has the best score, and is the given mask's mean plus x of click 1."""
    inputs: dict[str, Sequence[object]] = {
        "image_embeddings": [None] * 4, "point_coords": [1, "n", 2], "point_labels": [1, "n"],
    }  # fmt: skip
    nodes = [
        constant("wanted", [0.1, 0.9, 0.2]),
        helper.make_node("Unsqueeze", ["wanted", "axis0"], ["iou_predictions"]),
        helper.make_node("Constant", [], ["axis0"], value=onnx.numpy_helper.from_array(np.array([0]))),
        helper.make_node("ReduceMean", ["point_labels"], ["value"], keepdims=0),
        constant("pattern", np.stack([np.full(size, v, np.float32) for v in (-9, 1, -9)])[None]),
    ]
    nodes.insert(0, nodes.pop(2))
    if official:
        inputs |= {"mask_input": [1, 1, 256, 256], "has_mask_input": [1], "orig_im_size": [2]}
        nodes.append(helper.make_node("ReduceMean", ["mask_input"], ["before"], keepdims=0))
        nodes.append(helper.make_node("Add", ["value", "before"], ["sum"]))
        nodes.append(helper.make_node("Mul", ["pattern", "sum"], ["masks"]))
        nodes.append(constant("low_res_masks", np.zeros((1, 3, 256, 256))))
        outputs: dict[str, Sequence[object]] = {
            "masks": [None] * 4,
            "iou_predictions": [1, 3],
            "low_res_masks": [None] * 4,
        }
    else:
        nodes.append(helper.make_node("Mul", ["pattern", "value"], ["masks"]))
        outputs = {"masks": [None] * 4, "iou_predictions": [1, 3]}
    return write(path, inputs, outputs, *nodes)


def test_the_best_of_its_masks_is_taken(tmp_path: Path) -> None:
    model = load_segmenter(f"{square_encoder(tmp_path / 'e.onnx')},{decoder(tmp_path / 'd.onnx')}")
    assert isinstance(model, SamOnnx) and "e.onnx, d.onnx" in model.note
    # labels are 1, 1 and -1 for "no box": their mean is above 0, and with more clicks beside the object below it
    assert model.segment(IMAGE, [Click(5, 5), Click(50, 5)]).all()
    assert not model.segment(IMAGE, [Click(5, 5, positive=False)]).any()


def test_a_given_mask_reaches_the_decoder_and_only_touched_parts_change(tmp_path: Path) -> None:
    model = SamOnnx(square_encoder(tmp_path / "e.onnx"), decoder(tmp_path / "d.onnx"))
    given = np.zeros(IMAGE.shape[:2], np.uint8)
    given[:, :10] = 1
    # most of the given mask is empty: its logits are below 0 and the answer is "nothing", as where the click is
    assert np.array_equal(model.segment(IMAGE, [Click(60, 20)], given), given)
    assert not model.segment(IMAGE, [Click(5, 20, positive=False)], given).any()


def test_a_decoder_with_small_masks_and_an_encoder_without_a_size(tmp_path: Path) -> None:
    model = SamOnnx(
        free_encoder(tmp_path / "e.onnx"), decoder(tmp_path / "d.onnx", official=False, size=(64, 64))
    )
    found = model.segment(IMAGE, [Click(5, 5), Click(50, 5)])
    assert found.shape == (48, 96) and found.all()


def test_an_image_is_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = SamOnnx(square_encoder(tmp_path / "e.onnx"), decoder(tmp_path / "d.onnx"))
    encode, seen = model._encode, []
    monkeypatch.setattr(model, "_encode", lambda image: seen.append(1) or encode(image))
    for x in (3, 4, 5):
        model.segment(IMAGE, [Click(x, 5)])
    assert len(seen) == 1
    model.segment(IMAGE + 1, [Click(3, 5)])
    assert len(seen) == 2


def test_files_of_another_kind_are_named(tmp_path: Path) -> None:
    encoder, good = square_encoder(tmp_path / "e.onnx"), decoder(tmp_path / "d.onnx")
    with pytest.raises(WeightsError, match="the encoder is named before the decoder"):
        SamOnnx(good, encoder)
    with pytest.raises(WeightsError, match="point_coords, point_labels are missing"):
        SamOnnx(encoder, encoder)
    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(WeightsError, match="cannot be opened as an ONNX file"):
        SamOnnx(tmp_path / "x.onnx", good)


def test_an_encoder_and_a_decoder_that_do_not_belong_together_are_said(tmp_path: Path) -> None:
    node = helper.make_node("ReduceMean", ["image"], ["embedding"], keepdims=0)
    encoder = write(tmp_path / "e.onnx", {"image": [1, 3, 64, 64]}, {"embedding": []}, node)
    model = SamOnnx(encoder, decoder(tmp_path / "d.onnx"))
    with pytest.raises(WeightsError, match=r"d\.onnx cannot be run on what .*e\.onnx makes of the image"):
        model.segment(IMAGE, [Click(5, 5)])


def test_a_click_outside_is_refused(tmp_path: Path) -> None:
    model = SamOnnx(square_encoder(tmp_path / "e.onnx"), decoder(tmp_path / "d.onnx"))
    with pytest.raises(MaskError, match="outside of the image"):
        model.segment(IMAGE, [Click(96, 5)])
