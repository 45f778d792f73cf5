"""Every command with its defaults, as somebody new would try it: it works, or it says first what it needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from limpet.cli.options import MODEL
from limpet.core.config_fields import settings_of
from limpet.distillation.distill_model import STUDENT, TEACHER
from limpet.distillation.label_clip import LabelConfig
from limpet.export.program import Programs
from limpet.export.writer import ExportOptions, Written
from limpet.runtime.manifest import GraphSpec
from limpet.training.config import TrainConfig
from limpet.weights.weights_file import read_weights, sha256
from limpet.weights.zoo import BUNDLED, bundled_weights

from .clips import picture, write_first_mask, write_video
from .command import Limpet, program

NEEDS = [
    ("track", "Missing argument 'VIDEO': A video file"),
    ("frame", "Missing argument 'VIDEO': A video"),
    ("batch", "Missing argument 'JOBS': A folder of videos with masks beside them"),
    ("visualise", "Missing argument 'VIDEO': A video file"),
    ("eval davis", "Missing argument 'ROOT': The folder of the data set"),
    ("train", "Missing option '--out': Folder of the run"),
    ("train --out run", "there is nothing to train on; give --stills DIR, --video ROOT:SPLIT, or both"),
    ("distill", "Missing option '--out': Folder of the run"),
    ("distill --out run", "there is nothing to learn from; give --videos DIR, --stills DIR, or both"),
    ("study", "no study is named; expected one such as table-4 (limpet study --list shows them all)"),
    ("study table-4", "there is nothing to score students on; give --score ROOT:SPLIT"),
    ("calibrate", "there is nothing to calibrate on; give --video ROOT:SPLIT, --stills DIR, or both"),
    ("calibrate --stills photos", "name a file to write with --out FILE"),
    ("export", "Missing option '--to': Format: onnx, openvino, litert, coreml or torch"),
    ("export --to onnx", "Missing option '--size': Size of the frames in pixels, such as 480x854; or any"),
    ("parity", "Missing argument 'BUNDLE': A folder that limpet export made"),
    ("weights convert", "Missing argument 'CHECKPOINT': An official checkpoint of AOT, DeAOT or STCN (.pth)"),
    ("weights soup", "Missing argument 'PLACE...': Weights files, or folders of training runs"),
    ("weights average", "Missing argument 'PLACE...': Weights files, or folders of training runs"),
    ("weights show", "Missing argument 'FILE': A weights file or checkpoint"),
    ("demo --bundle none", "none is not an exported tracker"),
]
PROJECT = (
    "new",
    "add",
    "remove",
    "correct",
    "propagate",
    "lock",
    "unlock",
    "undo",
    "redo",
    "status",
    "export",
    "tidy",
)


@pytest.mark.parametrize(("words", "sentence"), NEEDS)
def test_what_is_needed_is_told_before_any_work(
    limpet: Limpet, words: str, sentence: str, tmp_path: Path
) -> None:
    limpet(*words.split()).refused(sentence)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [*PROJECT, "video", "diff"])
def test_projects_need_a_folder(limpet: Limpet, name: str) -> None:
    limpet("project", name).refused("Missing argument 'FOLDER': The project's folder")


def test_distilling_works_with_the_weights_in_the_package(limpet: Limpet, tmp_path: Path) -> None:
    """One step on small clips; teacher, student and losses are the defaults."""
    size = (130, 194)
    (tmp_path / "footage").mkdir()
    write_video(tmp_path / "footage/seen.mp4", [picture(0, size)] * 8)  # nothing moves: nothing is lost
    write_first_mask(tmp_path / "footage/seen.png", size)
    small = ("--label-size", 96, "--steps", 1, "--batch", 1, "--frames", 2, "--size", 65, "--device", "cpu")
    outcome = limpet("distill", "--out", "run", "--videos", "footage", "--first-masks", "footage", *small)
    outcome.succeeded()
    assert read_weights(tmp_path / "run/weights.safetensors").model == "deaot-nano"
    record = json.loads((tmp_path / "run/distillation.json").read_text())
    assert (record["teacher"], record["teacher_sha256"]) == (
        "deaot-l",
        sha256(BUNDLED / "deaot-l.safetensors"),
    )
    limpet("weights", "show", "run/weights.safetensors").succeeded()


def test_default_models_have_their_weights_in_the_package() -> None:
    commands = program().commands
    defaults = {each.name: each.default for each in commands["distill"].params}
    assert (defaults["teacher"], defaults["student"]) == (TEACHER, STUDENT), (
        "one default, that of limpet.distill"
    )
    assert bundled_weights(defaults["teacher"]) is not None and bundled_weights(MODEL) is not None
    assert defaults["cache_gb"] == LabelConfig().max_gb
    assert defaults["label_size"] == LabelConfig().max_size
    train = {each.name: each.default for each in commands["train"].params}
    for setting in settings_of(TrainConfig):
        assert train[setting.name] == setting.default, "one default, that of the configuration"


def test_export_writes_into_a_folder_of_its_own_name(
    limpet: Limpet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With graphs of the default model that run; what the formats make of graphs: tests/export."""

    def write(graphs: Programs, folder: Path, options: ExportOptions) -> Written:
        (folder / "graphs.pt2").touch()
        start, step = (
            GraphSpec("graphs.pt2", each.inputs, each.outputs) for each in (graphs.start, graphs.step)
        )
        return Written(start, step)

    monkeypatch.setattr("limpet.export.torch.write", write)
    limpet("export", "--to", "torch", "--size", "64x96").succeeded()
    assert (tmp_path / f"{MODEL}-torch/manifest.json").is_file()
