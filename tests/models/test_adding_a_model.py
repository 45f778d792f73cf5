"""The page on adding a model is true: its model passes what every model must, trains, tracks and exports."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from model_tester import ModelTester
from networks import frames, mask_of
from training.tiny import make_stills, tiny_run

from limpet import registry
from limpet.export.bundle import ExportPlan, export
from limpet.export.writer import ExportOptions
from limpet.models import build_model
from limpet.registry import ModelEntry, find
from limpet.runtime.exported_tracker import load_exported
from limpet.tracking.load import load
from limpet.tracking.memory_policies import Ring
from limpet.training.loop import train
from limpet.training.setup import finish_run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding_a_model.md"
NAME = "limpet.models.matching"
FILE, LINE, TEST = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
MATCHING = ModuleType(NAME)


def run_page() -> type[ModelTester]:
    """The page's file as a module, and the class of its test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, NAME, MATCHING)
        exec(compile(FILE, str(PAGE), "exec"), MATCHING.__dict__)
        names: dict[str, type[ModelTester]] = {"__name__": __name__}  # type: ignore[dict-item]
        exec(compile(TEST, str(PAGE), "exec"), names)
    return names["TestMatching"]


TestMatching = run_page()


@pytest.fixture(autouse=True)
def _added(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's module and line, for the tests of this file alone."""
    (entry,) = eval(f"[{LINE}]", {"ModelEntry": ModelEntry})
    monkeypatch.setitem(sys.modules, NAME, MATCHING)
    monkeypatch.setitem(registry._ENTRIES, entry.name, entry)


def test_the_page_adds_a_file_a_line_and_a_test() -> None:
    titles = re.findall(r"^## \d\. (.*)$", PAGE.read_text(), flags=re.MULTILINE)
    assert [title.split(":")[0] for title in titles] == ["One file", "One line", "One test class"]
    assert len(LINE.strip().splitlines()) == 1
    assert len(ast.parse(TEST).body[-1].body) == 2, "a configuration and the names of its presets"  # type: ignore[attr-defined]
    entry = find("matching")
    assert entry.config().channels == 256
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in build_model(entry.config()).parameters())
    assert entry.millions == round(parameters / 1e6, 1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Weights after three steps of training."""
    folder = tmp_path_factory.mktemp("matching")
    torch.manual_seed(0)
    model = MATCHING.Matching(MATCHING.MatchingConfig(long_term_gap=5))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    config = tiny_run(steps=3, model="matching")
    average = train(model, config, folder, make_stills(folder / "stills"), [], device="cpu", quiet=True)
    assert any(not torch.equal(before[name], parameter) for name, parameter in model.named_parameters())
    finish_run(average, config, folder)
    yield folder / "weights.safetensors"


def test_it_trains_and_tracks(trained: Path) -> None:
    tracker = load("matching", weights=trained, device="cpu", precision="fp32")
    first, *others = frames(7)
    state = tracker.start(first, mask_of(4, 9))
    for frame in others:
        mask, state = tracker.step(frame, state)
        assert set(np.unique(mask)) <= {0, 4, 9}
    assert [stored.index for stored in state.groups[0].frames] == [5, 0]


def test_it_exports(trained: Path, tmp_path: Path) -> None:
    size = (64, 96)
    plan = ExportPlan(
        "matching", "torch", size, weights=trained, objects=2, ring=2, gap=1, options=ExportOptions("fp32")
    )
    export(plan, tmp_path / "bundle")
    exported = load_exported(tmp_path / "bundle")
    tracker = load(
        "matching", weights=trained, device="cpu", precision="fp32", memory=Ring(gap=1, max_frames=2)
    )
    first, *others = frames(5, *size)
    mask = mask_of(4, 9, height=size[0], width=size[1])
    state, expected = exported.start(first, mask), tracker.start(first, mask)
    for frame in others:
        found, state = exported.step(frame, state)
        wanted, expected = tracker.step(frame, expected)
        assert (found != wanted).sum() <= 3  # near-ties


def test_what_is_not_a_configuration_is_named() -> None:
    with pytest.raises(
        TypeError, match=r"built from a ModelConfig, not from 'deaot-t'; limpet.registry.find"
    ):
        build_model("deaot-t")  # type: ignore[arg-type]
