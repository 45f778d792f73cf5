"""The page on adding a data set is true: its class, its row and its test work as they stand there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from limpet.core.errors import DataError
from limpet.data import ClipConfig, TrainingClips, datasets, training_videos

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding_a_dataset.md"


def blocks() -> list[str]:
    """The Python code of the page: the class, the row, the test."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def run(code: str, name: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(code, str(PAGE), "exec"), module.__dict__)
    return module


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The page's test module, with the page's data set in the table for as long as the test runs."""
    the_class, the_row, the_test = blocks()
    reef = run(the_class, "limpet.data.reef")
    monkeypatch.setitem(sys.modules, "limpet.data.reef", reef)
    added: dict[str, object] = {}
    exec(the_row.replace("    ...\n", ""), {"VideoDataset": object}, added)
    table = added["DATASETS"]
    assert table == {"reef": reef.Reef}
    monkeypatch.setattr(datasets, "DATASETS", {**datasets.DATASETS, "reef": reef.Reef})
    yield run(the_test, "test_reef")


def test_the_test_of_the_page_passes(page: ModuleType, tmp_path: Path) -> None:
    page.test_reef_trains_is_evaluated_and_serves_as_footage(tmp_path)


def test_clips_are_made_of_it_and_its_splits_are_named(page: ModuleType, tmp_path: Path) -> None:
    root = page.make_reef(tmp_path)
    videos = training_videos(root)
    assert [sequence.name for sequence in videos] == ["test_turtle", "train_anemone"]
    clips = TrainingClips(ClipConfig(frames=2, size=33, batch=1, min_pixels=10), videos=[videos])
    assert clips.batch(0).images.shape == (2, 1, 3, 33, 33)
    with pytest.raises(DataError, match=r"no split 'val' in .*; the splits there are: test, train"):
        training_videos(root, "val")


def test_without_its_row_it_is_not_known(
    page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = page.make_reef(tmp_path)
    with pytest.raises(DataError, match="is not laid out like a data set"):
        monkeypatch.undo()
        training_videos(root)
