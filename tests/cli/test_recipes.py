"""The commands that made what ships, and those of the page on training at full scale, run: a few steps of each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from networks import small_config
from safetensors.torch import load_file, save_file

from limpet import registry
from limpet.cli.options import MODEL
from limpet.models import build_model
from limpet.registry import ModelEntry, find
from limpet.segment.choose_segmenter import BUNDLED as CLICK_MODEL
from limpet.training.checkpoint import load_checkpoint
from limpet.training.train_model import training_set
from limpet.weights.weights_file import read_weights
from limpet.weights.zoo import BUNDLED

from .command import Limpet
from .recipes import STEPS, commands_of, dry, lay_out, of_a_file

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(BUNDLED.glob("*.safetensors"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_command_in_a_file_that_ships_still_runs(file: Path, limpet: Limpet, tmp_path: Path) -> None:
    lay_out(tmp_path)
    weights = read_weights(file)
    for number, command in enumerate(weights.facts.get("parts", weights.facts["command"]).splitlines()):
        run = tmp_path / f"run{number}"
        limpet(*dry(of_a_file(command, file, run))).succeeded()
        assert load_checkpoint(run / "checkpoint.safetensors").step == STEPS
        assert read_weights(run / "weights.safetensors").model == weights.model
    if "parts" in weights.facts:
        parts = sorted(tmp_path.glob("run*/weights.safetensors"))
        limpet("weights", "average", *parts, "--out", tmp_path / "mean.safetensors").succeeded()
        assert read_weights(tmp_path / "mean.safetensors").tensors.keys() == weights.tensors.keys()


def test_the_command_of_the_click_model_still_runs(limpet: Limpet, tmp_path: Path) -> None:
    lay_out(tmp_path)
    weights = read_weights(CLICK_MODEL)
    encoder = {name: value for name, value in weights.tensors.items() if name.startswith("features.")}
    save_file(encoder, tmp_path / "encoder.safetensors")
    small = ("--steps", STEPS, "--batch", 1, "--size", 64, "--held-out", 0)
    stages = (("earlier_command", tmp_path / "encoder.safetensors"), ("command", CLICK_MODEL))
    for name, start in stages:
        limpet(*of_a_file(weights.facts[name], start, tmp_path / name), *small).succeeded()
        assert read_weights(tmp_path / name / "weights.safetensors").tensors.keys() == weights.tensors.keys()
    assert "`limpet train-clicks`" in CLICK_MODEL.with_suffix(".md").read_text()


def test_every_file_that_ships_has_its_command_on_a_card() -> None:
    for file in SHIPPED:
        text = file.with_suffix(".md").read_text()
        _, name, action, *_ = read_weights(file).facts["command"].split()
        assert f"`limpet {f'{name} {action}' if name == 'weights' else name}`" in text, file.name


def test_training_at_full_scale_runs_from_photos_to_the_student(
    limpet: Limpet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a narrow model in the place of the large one."""
    lay_out(tmp_path)
    entry = ModelEntry("r50-deaot-l", "narrow", lambda: small_config(layers=3, gap=5))
    monkeypatch.setitem(registry._ENTRIES, entry.name, entry)
    encoders = {"mobilenet_v2": "deaot-t", "resnet50": "r50-deaot-l"}
    for name, model in encoders.items():
        save_file(build_model(find(model).config()).encoder.state_dict(), tmp_path / f"{name}.safetensors")
    commands = commands_of(ROOT / "docs/full_scale.md", "train", "distill")
    one_gpu = [words for words in commands if "--processes" not in words and "runs/devos" not in words[2]]
    assert [words[2] for words in one_gpu] == ["runs/photos", "runs/teacher", "runs/student"]
    sure = ("--teacher", MODEL, "--teacher-weights", BUNDLED / f"{MODEL}.safetensors")
    for words in one_gpu:  # after a few steps a teacher loses everything at once, and has nothing to tell
        limpet(*dry(words), *(sure if words[0] == "distill" else ())).succeeded()
        out = tmp_path / words[2]
        assert load_checkpoint(out / "checkpoint.safetensors").step == STEPS
        assert all(
            tensor.isfinite().all() for tensor in read_weights(out / "weights.safetensors").tensors.values()
        )
    (score,) = commands_of(ROOT / "docs/full_scale.md", "eval")
    limpet(*score, "--max-size", 64).succeeded()


def test_the_recipe_of_devos_runs_on_the_three_layouts(limpet: Limpet, tmp_path: Path) -> None:
    """A few steps of each stage, with the smallest member of the family."""
    lay_out(tmp_path)
    build = build_model(find("devos-t").config())
    save_file(build.encoder.state_dict(), tmp_path / "mobilenet_v2.safetensors")
    commands = commands_of(ROOT / "docs/full_scale.md", "train")
    stages = [words for words in commands if "runs/devos" in words[2]]
    assert [words[2] for words in stages] == ["runs/devos-photos", "runs/devos"]
    small = ("--model", "devos-t", "--steps", "3", "--workers", "0")
    limpet(*dry(stages[0]), *small, "--encoder", "mobilenet_v2.safetensors").succeeded()
    limpet(*dry(stages[1]), *small).succeeded()
    checkpoint = load_checkpoint(tmp_path / "runs/devos/checkpoint.safetensors")
    assert checkpoint.step == 3 and checkpoint.config.clips.merge_prob == 0.4
    places = [each for each in stages[1] if ":" in each]
    names = [[video.name for video in training_set(str(tmp_path / place))] for place in places]
    assert names == [["one", "two"], ["0a1b2c"], ["a338c8aa"]]


TWO = """
import os
import sys

del sys.path[0]
import torch
from networks import small_config
from safetensors.torch import save_file

from limpet import registry
from limpet.cli.main import main
from limpet.training import loop, monitor

RANK = int(os.environ.get("LOCAL_RANK", "0"))


class Run(loop.Run):
    def __init__(self, model, *rest):
        with torch.no_grad():
            model.decoder.conv_out.weight.add_(RANK)
        super().__init__(model, *rest)

    def loop(self, clips, *rest):
        super().loop(clips, *rest)
        kept = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        kept |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        kept["clip"] = clips.batch(0).images
        save_file({name: tensor.detach().clone().contiguous() for name, tensor in kept.items()}, f"{RANK}.safetensors")


if __name__ == "__main__":
    loop.Run, monitor.draw_curves = Run, lambda log, picture: None
    registry._ENTRIES["r50-deaot-l"] = registry.ModelEntry("r50-deaot-l", "narrow", small_config)
    main()
"""
"""The program, each of whose processes has a narrow model, other weights at first, and writes those it ends with."""


def test_eight_gpus_take_the_same_command_as_two_processes(tmp_path: Path) -> None:
    """Two on this machine: both draw clips of their own, and one set of weights comes out, that of the first one."""
    lay_out(tmp_path)
    words = next(
        words for words in commands_of(ROOT / "docs/full_scale.md", "train") if "--processes" in words
    )
    torch.manual_seed(0)
    save_file(build_model(small_config()).encoder.state_dict(), tmp_path / "resnet50.safetensors")
    program = tmp_path / "limpet.py"  # each further process starts it again
    program.write_text(TWO)
    changes = [
        "--processes",
        "2",
        "--precision",
        "32-true",
        "--teacher-forcing-until",
        "0.5",
        "--log-every",
        "1",
    ]
    command = [sys.executable, str(program), *dry(words), *changes]
    settings = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))}
    done = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("sha256") == 1
    run = tmp_path / "runs/photos8"
    assert load_checkpoint(run / "checkpoint.safetensors").step == STEPS
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in (0, 1))
    assert not torch.equal(first.pop("clip"), second.pop("clip")), "each process makes its own clips"
    assert first.keys() == second.keys()
    assert [name for name, tensor in first.items() if not torch.equal(tensor, second[name])] == []
    lines = (run / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(STEPS)), "one process keeps the log"
