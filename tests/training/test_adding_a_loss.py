"""The page on adding a loss is true: its function, its row and its test work as they stand there."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from networks import lively_model

from limpet.core.errors import DataError
from limpet.training import config
from limpet.training.checkpoint import load_checkpoint
from limpet.training.config import TrainConfig
from limpet.training.loop import CHECKPOINT, train

from .tiny import make_stills, tiny_run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding_a_loss.md"


def run(code: str, name: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(code, str(PAGE), "exec"), module.__dict__)
    return module


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's test module, with the page's loss in the table for as long as the test runs."""
    the_loss, the_row, the_test = re.findall(
        r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    monkeypatch.setitem(
        sys.modules, "limpet.training.focal_loss", run(the_loss, "limpet.training.focal_loss")
    )
    added: dict[str, dict[str, str]] = {}
    exec(the_row.replace("    ...\n", ""), {}, added)
    (row,) = added["MASK_LOSSES"].items()
    monkeypatch.setitem(config.MASK_LOSSES, *row)
    return run(the_test, "test_focal_loss")


def test_the_tests_of_the_page_pass(page: ModuleType) -> None:
    tests = [value for name, value in vars(page).items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()


def test_a_model_trains_with_it_and_goes_on_with_it(page: ModuleType, tmp_path: Path) -> None:
    stills = make_stills(tmp_path / "stills")
    losses = {}
    for name in ("ce_jaccard", "focal_jaccard"):
        settings = tiny_run(steps=3, mask_loss=name)
        train(lively_model(), settings, tmp_path / name, stills, [], device="cpu", quiet=True)
        rows = (tmp_path / name / "log.jsonl").read_text().splitlines()
        losses[name] = [json.loads(row)["loss"] for row in rows]
    assert len(losses["focal_jaccard"]) == 3 and losses["focal_jaccard"][0] != losses["ce_jaccard"][0]
    assert load_checkpoint(tmp_path / "focal_jaccard" / CHECKPOINT).config.mask_loss == "focal_jaccard"
    with pytest.raises(DataError, match="mask_loss was 'focal_jaccard', is now 'ce_jaccard'"):
        again = tiny_run(steps=4)
        train(lively_model(), again, tmp_path / "focal_jaccard", stills, [], device="cpu", resume=True)


def test_without_its_row_it_is_not_known() -> None:
    with pytest.raises(DataError, match="mask_loss is 'focal_jaccard', expected one of ce_jaccard"):
        TrainConfig(mask_loss="focal_jaccard")
