"""Weights and bundles: numbers that are none, tensors that do not fit, code in disguise, and edited manifests."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from damage.model_kinds import MODELS, _few_weights
from safetensors.torch import save

from limpet.core.calibration import FACT, Calibration
from limpet.runtime.manifest import NAME, Manifest
from limpet.weights.weights_file import FORMAT, load_into, read_weights

from .case import Case, as_json, written

TENSORS = {
    name: tensor.half() if tensor.is_floating_point() else tensor
    for name, tensor in _few_weights().state_dict().items()
}
FACTS = {"format": FORMAT, "model": "tiny", "facts": "{}"}


def _read_weights(path: Path) -> str:
    weights = read_weights(path)
    load_into(_few_weights(), weights.tensors, str(path))
    text = weights.facts.get(FACT)
    scale = "" if text is None else f", {Calibration.from_text(text, str(path))}"
    return f"weights of {weights.model}, {len(weights.tensors)} tensors{scale}"


def _with(name: str, value: torch.Tensor | None) -> bytes:
    tensors = dict(TENSORS)
    if value is None:
        del tensors[name]
    else:
        tensors[name] = value
    return save(tensors, FACTS)


def _said(**facts: str) -> bytes:
    return save(TENSORS, {name: value for name, value in (FACTS | facts).items() if value != "absent"})


class Evil:
    """What a pickle of a stranger does."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code of a stranger ran",))


def _spoilt(value: float) -> torch.Tensor:
    tensor = TENSORS["0.weight"].clone()
    tensor[0, 0] = value
    return tensor


def _weights() -> Iterator[tuple[str, bytes]]:
    whole = save(TENSORS, FACTS)
    yield "whole", whole
    yield "a tensor with NaN", _with("0.weight", _spoilt(float("nan")))
    yield "a tensor with an infinity", _with("0.weight", _spoilt(float("inf")))
    yield "a negative variance", _with("1.running_var", -TENSORS["1.running_var"])
    yield "a tensor of whole numbers", _with("0.weight", TENSORS["0.weight"].int())
    yield "a tensor of truth values", _with("0.weight", TENSORS["0.weight"] > 0)
    yield "a tensor in double precision", _with("0.weight", TENSORS["0.weight"].double())
    yield "a tensor that is missing", _with("0.weight", None)
    yield "a tensor of another shape", _with("0.weight", torch.zeros(3, 3).half())
    yield "a tensor without elements", _with("0.weight", torch.zeros(0, 3).half())
    yield "a tensor that is not expected", _with("x" * 300, torch.zeros(1).half())
    yield "a name that leads out", _with("../../0.weight", torch.zeros(1).half())
    yield "no tensor", save({}, FACTS)
    yield "no format", _said(format="absent")
    yield "another format", _said(format="limpet-weights-99")
    yield "no model", _said(model="absent")
    yield "no facts", _said(facts="absent")
    yield "facts that are no JSON", _said(facts="{")
    yield "facts that are a list", _said(facts="[1]")
    yield "facts nested 100,000 deep", _said(facts="[" * 100_000)
    yield "a model's name with control characters", _said(model="\x1b[2J")
    for text in ('{"slope": 0.9, "offset": 0}', '{"slope": 0, "offset": 0}', '{"slope": "x"}', '{"slope": NaN, "offset": 0}', "[]", '{"slope": 1e999, "offset": 0}'):  # fmt: skip
        yield f"calibration {text}", _said(facts=json.dumps({FACT: text}))
    for part in (0, 7, 8, 100, len(whole) - 1):
        yield f"cut off after {part} bytes", whole[:part]
    yield "rubbish after its end", whole + b"x"
    yield "a header that states 16 EB", b"\xff" * 8 + whole[8:]
    yield "a header that is no JSON", struct.pack("<Q", 5) + b"hello" + bytes(20)
    yield "a header nested 100,000 deep", struct.pack("<Q", 100_000) + b"[" * 100_000
    yield "tensors that overlap", whole.replace(b'"data_offsets":[0,', b'"data_offsets":[9,')
    yield "a pickle", pickle.dumps(Evil())
    yield "text", b"weights"
    yield "zeros", bytes(1000)


def _checkpoint(folder: Path) -> Path:
    torch.save(TENSORS, folder / "w.pth")
    return folder / "w.pth"


def _bundle(change: Callable[[dict[str, Any]], None], folder: Path) -> Path:
    MODELS["bundle"].make(folder)
    content = json.loads((folder / NAME).read_text())
    content.pop("crc32", None)
    change(content)
    (folder / NAME).write_bytes(as_json(content))
    return folder


def _read_bundle(path: Path) -> str:
    manifest = Manifest.read(path)
    return f"a bundle of {manifest.model} for {manifest.backend}, {len(manifest.files)} files"


def _set(name: str, value: Any, content: dict[str, Any]) -> None:
    *above, last = name.split(".")
    for each in above:
        content = content[int(each) if isinstance(content, list) else each]
    if value is _REMOVED:
        del content[last]
    else:
        content[last] = value


_REMOVED = object()
_FIELDS: tuple[tuple[str, Any], ...] = (
    ("backend", _REMOVED), ("model", 7), ("model", "\x1b]0;x\x07"), ("format", "limpet-bundle-99"), ("format", []),
    ("frame_size", [0, 0]), ("frame_size", [-60, 90]), ("frame_size", [60.5, 90]), ("frame_size", [60]),
    ("frame_size", [10**6, 10**6]), ("frame_size", None), ("network_size", "65x97"), ("align_corners", "yes"),
    ("mean", [0.5, 0.5]), ("mean", [float("nan"), 0, 0]), ("std", [0, 1, 1]), ("std", [1e999, 1, 1]),
    ("objects", 0), ("objects", 10**12), ("objects", True), ("ring", -1), ("gap", 0), ("calibration", 5),
    ("files", {}), ("files", []), ("files", {"../outside.onnx": "0" * 64}), ("files", {"/etc/passwd": "0" * 64}),
    ("files", {"C:\\x.onnx": "0" * 64}), ("files", {"step.onnx": 3}), ("start.file", "../outside.onnx"),
    ("start.file", ""), ("start.inputs", None), ("start.inputs.0.shape", [10**30]), ("step.outputs", [5]),
    ("notes", ["<script>"]), ("crc32", "00000000"), ("unknown", 1), ("start", []), ("limpet", None),
)  # fmt: skip


def cases() -> Iterator[Case]:
    """All weights and bundles."""
    for name, data in _weights():
        yield Case("Weights", name, written("w.safetensors", data), _read_weights)
    yield Case("Weights", "a checkpoint of torch", _checkpoint, _read_weights)
    yield Case("Weights", "missing", lambda at: at / "w.safetensors", _read_weights)
    yield Case("Bundles", "whole", partial(_bundle, lambda content: None), _read_bundle)
    for name, value in _FIELDS:
        words = "removed" if value is _REMOVED else f"= {json.dumps(value)[:40]}"
        yield Case("Bundles", f"{name} {words}", partial(_bundle, partial(_set, name, value)), _read_bundle)
