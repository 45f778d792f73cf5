"""Weights, bundles, checkpoints, labels, and what training and benchmarks write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from bench.reports import report as bench_report
from safetensors.torch import save
from studies.test_result import RESULT
from torch import nn
from training.tiny import tiny_run

from limpet.bench.report import read_report, write_report
from limpet.cli.models import _read as read_speeds
from limpet.core.calibration import FACT, Calibration
from limpet.distillation.config import FILE as DISTILLATION
from limpet.distillation.config import DistillationRecord, record
from limpet.distillation.label_cache import LabelCache, LabelledClip
from limpet.runtime.manifest import NAME as MANIFEST
from limpet.runtime.manifest import GraphSpec, Manifest, TensorSpec, file_sha256
from limpet.studies.result import FILE as RESULT_FILE
from limpet.studies.result import LOG, RECIPE, begin_run, read_log, read_result, write_result
from limpet.tensor_files import read_tensors
from limpet.training.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from limpet.training.monitor import _rows
from limpet.weights.weights_file import Weights, load_into, read_weights, write_weights

from .kind import Kind, ToldError, with_check_sum


def _few_weights() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def _make_weights(folder: Path) -> None:
    facts = {"origin": "random", FACT: Calibration(0.9, -0.1).to_text()}
    write_weights(folder / "w.safetensors", Weights("tiny", _few_weights().state_dict(), facts))


def _read_weights(folder: Path) -> Any:
    path = folder / "w.safetensors"
    weights = read_weights(path)
    load_into(_few_weights(), weights.tensors, str(path))
    text = weights.facts.get(FACT)
    calibration = None if text is None else Calibration.from_text(text, str(path))
    values = {name: tensor.numpy().tobytes() for name, tensor in weights.tensors.items()}
    return weights.model, calibration, sorted(weights.facts.items()), values


def _make_bundle(folder: Path) -> None:
    (folder / "start.onnx").write_bytes(b"graph of the start")
    (folder / "step.onnx").write_bytes(b"graph of the step")
    image = TensorSpec("image", (1, 3, 65, 97), "float32")
    graphs = [
        GraphSpec(f"{name}.onnx", (image,), (TensorSpec("mask", (1, 60, 90), "uint8"),))
        for name in ("start", "step")
    ]
    Manifest(
        *("onnx", "fp32", "deaot-t", "0" * 64, (60, 90), (65, 97), True, 480, None),
        *((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 3, 1, 2, 2, graphs[0], graphs[1], "0.1.0"),
        calibration=Calibration(0.9, -0.1).to_text(),
        files={path.name: file_sha256(path) for path in sorted(folder.glob("*.onnx"))},
        notes=("a note",),
    ).write(folder)


def _make_labels(folder: Path) -> None:
    cache = LabelCache(folder / "labels", {"teacher": {"model": "deaot-l"}, "settings": {"keep": 0.5}})
    clip = LabelledClip("dog", 123, "ab" * 32, "given", "cd" * 32, 0, 2, 1, 1, 0.75, 999)
    with cache.writing(90) as part:
        for level in (1, 2):
            part.add(np.full((8, 9, 3), level, np.uint8), np.ones((8, 9), np.uint8))
        cache.finish(clip, part)
    cache.list_clips(["dog"])


def _read_labels(folder: Path) -> Any:
    if not (folder / "labels" / "labels.json").exists():
        raise ToldError("no labels")
    cache = LabelCache(folder / "labels", {"teacher": {"model": "deaot-l"}, "settings": {"keep": 0.5}})
    return cache.clips, cache.nbytes, [clip.identity() for clip in cache.clips.values()]


def _make_checkpoint(folder: Path) -> None:
    model, average = _few_weights(), _few_weights()
    moments = {parameter: {"exp_avg": torch.ones_like(parameter)} for parameter in model.parameters()}
    optimizer: Any = SimpleNamespace(state=moments)  # those of torch take seconds to import
    save_checkpoint(folder / CHECKPOINT, 3, tiny_run(), model, average, optimizer)


def _read_checkpoint(folder: Path) -> Any:
    read = load_checkpoint(folder / CHECKPOINT)
    parts = (read.model, read.average, read.optimizer, read.helpers)
    values = [[(name, t.numpy().tobytes()) for name, t in sorted(part.items())] for part in parts]
    return read.step, read.config, values


def _without_sum(make: Callable[[Path], None], name: str, read: Callable[[Path], Any]) -> Kind:
    """A file of tensors without a check sum, as others write it."""

    def rewritten(folder: Path) -> None:
        make(folder)
        facts, tensors = read_tensors(folder / name)
        (folder / name).write_bytes(save(tensors, facts))

    return Kind(rewritten, name, read)


_RECORD = DistillationRecord("deaot-l", "ab" * 32, "deaot-nano")
_LOGGED = "".join(json.dumps({"step": step, "loss": 1 / step}) + "\n" for step in (1, 2, 3))
_SPEED = {"machine": {"deaot-t": {"ms": 12.5, "day": "2026-11-01", "device": "cpu"}}}


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def _curves(folder: Path) -> Any:
    return list(_rows(folder / LOG)) if (folder / LOG).is_file() else None


MODELS = {
    "weights": Kind(_make_weights, "w.safetensors", _read_weights, True),
    "weights without a sum": _without_sum(_make_weights, "w.safetensors", _read_weights),
    "bundle": Kind(_make_bundle, MANIFEST, Manifest.read, True),
    "bundle, sum mended": Kind(_make_bundle, MANIFEST, Manifest.read, mended=with_check_sum),
    "graph of a bundle": Kind(_make_bundle, "step.onnx", Manifest.read, True),
    "labels": Kind(_make_labels, "labels/labels.json", _read_labels, True),
    "labels, sum mended": Kind(_make_labels, "labels/labels.json", _read_labels, mended=with_check_sum),
    "checkpoint": Kind(_make_checkpoint, CHECKPOINT, _read_checkpoint, True),
    "checkpoint without a sum": _without_sum(_make_checkpoint, CHECKPOINT, _read_checkpoint),
    "distillation": Kind(
        lambda at: record(_RECORD, at, False), DISTILLATION, lambda at: record(_RECORD, at, True)
    ),
    "calibration": Kind(
        lambda at: (at / "c.json").write_text(Calibration(0.9, -0.1).to_text()),
        "c.json",
        lambda at: Calibration.from_text(_text(at / "c.json"), "c"),
    ),
    "report of a benchmark": Kind(
        lambda at: write_report(bench_report(), at / "b.json"),
        "b.json",
        lambda at: read_report(at / "b.json"),
    ),
    "result of a study": Kind(lambda at: write_result(RESULT, at), RESULT_FILE, read_result),
    "recipe of a study": Kind(
        lambda at: begin_run(at / "run", RESULT.recipe),
        f"run/{RECIPE}",
        lambda at: begin_run(at / "run", RESULT.recipe),
    ),
    "log of a run": Kind(lambda at: (at / LOG).write_text(_LOGGED), LOG, lambda at: read_log(at / LOG)),
    "log of a run, curves": Kind(lambda at: (at / LOG).write_text(_LOGGED), LOG, _curves),
    "speeds": Kind(
        lambda at: (at / "s.json").write_text(json.dumps(_SPEED)),
        "s.json",
        lambda at: read_speeds(at / "s.json"),
    ),
}
