"""Numbers and depths in the files of a project that no limpet wrote: one sentence, at once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from limpet.core.check_sums import CHECK_SUM
from limpet.project import Project, ProjectError
from limpet.project.snapshot import read_page, read_snapshot, write_snapshot

from .tiny import Repeats, box


@pytest.fixture
def filled(project: Project) -> Project:
    project.add(0, box(1, 2))
    project.propagate(Repeats())  # type: ignore[arg-type]
    return project


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    facts = json.loads(path.read_text())
    edit(facts)
    facts.pop(CHECK_SUM, None)  # files of earlier versions have none
    path.write_text(json.dumps(facts))


@pytest.mark.parametrize("name", ["frames", "bytes"])
@pytest.mark.parametrize("value", [10**12, -1, 10**400, 1.5, True, "12", [], float("nan")])
def test_numbers_of_the_video(filled: Project, name: str, value: Any) -> None:
    if name == "bytes" and value == 10**12:
        return  # a terabyte is a video
    change(filled.path / "project.json", lambda facts: facts["video"].update({name: value}))
    began = time.monotonic()
    opened = Project.open(filled.path)
    assert any("project.json is not valid" in problem for problem in opened.problems), opened.problems
    assert len(list(opened.statuses())) < 100 and time.monotonic() - began < 5


@pytest.mark.parametrize(
    "size", [[0, 5], [-1, 5], [1 << 40, 2], [30_000, 30_000], [5], [1, 2, 3], "ab", None, [1.5, 2]]
)
def test_sizes_of_the_video(filled: Project, size: Any) -> None:
    change(filled.path / "project.json", lambda facts: facts["video"].update(size=size))
    assert "project.json is not valid" in Project.open(filled.path).problems[0]


@pytest.mark.parametrize("name", ["position", "base", "next", "version"])
@pytest.mark.parametrize("value", [None, "x", 1.5, -1, 10**400, [1], {"a": 1}])
def test_numbers_of_edits(filled: Project, name: str, value: Any) -> None:
    change(filled.path / "project.json", lambda facts: facts.update({name: value}))
    assert "project.json is not valid" in Project.open(filled.path).problems[0]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 200 + "]" * 200])
def test_deep_nesting(filled: Project, text: str) -> None:
    for path in (filled.path / "project.json", filled.path / "history/00002.json"):
        whole = path.read_text()
        path.write_text(text)
        assert "is nested" in Project.open(filled.path).problems[0]
        path.write_text(whole)
    change(filled.path / "project.json", lambda facts: facts.update(format="limpet-project"))
    path.write_text(text)
    with pytest.raises(ProjectError, match="is nested"):
        read_page(text.encode())


@pytest.mark.parametrize(
    "entry",
    [
        {"given": {"-1": [1]}}, {"given": {str(10**12): [1]}}, {"given": {"0": [0]}}, {"given": {"0": 5}},
        {"locked": [[5, 3]]}, {"locked": [[0, 10**12]]}, {"locked": [[0, 4], [3, 6]]}, {"locked": [[4, 5], [0, 1]]},
        {"pages": {"0": "nothing"}}, {"pages": {str(10**12): "a" * 64}}, {"objects": {"256": ""}}, {"objects": [1]},
    ],
)  # fmt: skip
def test_numbers_of_snapshots(filled: Project, entry: dict[str, Any]) -> None:
    text = write_snapshot(filled.snapshot, 2)
    assert read_snapshot(text) == filled.snapshot
    with pytest.raises(ValueError):
        read_snapshot(json.dumps({k: v for k, v in (json.loads(text) | entry).items() if k != CHECK_SUM}))


@pytest.mark.parametrize(
    "pair",
    [
        [-1, 0.5],
        [2**54, 0.5],
        [True, 0.5],
        [1.0, 0.5],
        [1, True],
        [1, 1.5],
        [1, -0.1],
        [1, float("nan")],
        [1, "0.5"],
        ["1", 0.5],
        [1],
        1,
    ],
)
def test_numbers_of_pages(pair: Any) -> None:
    good = {"5": {"mask": "a" * 64, "objects": {"1": [1, 0.5]}}}
    assert read_page(json.dumps(good).encode())[5].objects == {1: (1, 0.5)}
    with pytest.raises(ProjectError, match="a page of frames is not valid"):
        read_page(json.dumps({"5": {"mask": "a" * 64, "objects": {"1": pair}}}).encode())


def test_a_confidence_that_is_no_number_is_not_written(project: Project) -> None:
    project.add(0, box(1, 2))

    class Lost(Repeats):
        def step(self, frame, state):  # type: ignore[no-untyped-def]
            mask, after = super().step(frame, state)
            after.confidence[1] = float("nan")
            return mask, after

    from limpet.core.errors import ModelError

    with pytest.raises(ModelError, match="confidence of object 1 is nan; expected 0 to 1"):
        project.propagate(Lost())  # type: ignore[arg-type]
    assert Project.open(project.path).confidence(1) == {}


def test_a_project_json_that_is_a_pipe_is_no_project(tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    os.mkfifo(tmp_path / "job/project.json")
    with pytest.raises(ProjectError, match="holds no project"):
        Project.open(tmp_path / "job")
