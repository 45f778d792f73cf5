"""`limpet study` from the command line, with narrow networks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from studies.conftest import _narrow, _quick, files  # noqa: F401  fixtures

from .command import Limpet

TINY = ("--scale", "mini", "--steps", 1, "--seeds", 1, "--device", "cpu")


@pytest.fixture
def given(files: Path) -> tuple[object, ...]:  # noqa: F811
    """Teacher, start and data."""
    return (
        "--teacher-weights", files / "teacher.safetensors", "--from", files / "start.safetensors",
        "--stills", files / "stills", "--videos", f"{files}/davis:2017/train", "--score", f"{files}/davis:2017/val",
    )  # fmt: skip


def test_the_list_names_every_study_and_scale(limpet: Limpet) -> None:
    outcome = limpet("study", "--list")
    outcome.succeeded()
    for word in (
        "table-1: ",
        "table-8: ",
        "fig-5: ",
        "rows: kl, cka",
        "mini: ",
        "paper: ",
        "mobilevos-fig-9: ",
        "scales of MobileVOS's studies",
    ):
        assert word in outcome.out


def test_a_study_leaves_its_table_and_picture(
    limpet: Limpet, given: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from limpet.studies import scale

    monkeypatch.setattr(scale, "SCALES", {"mini": lambda: scale.dry(scale._mini(), 1)})
    outcome = limpet("study", "table-4", *TINY, *given, "--arms", "cka", "--out", "out")
    outcome.succeeded()
    assert "table-4, cka, seed 0 (1 of 1)" in outcome.out and "out/table-4/table.md" in outcome.out
    folder = tmp_path / "out/table-4"
    assert {path.name for path in folder.iterdir()} == {
        "cka",
        "references",
        "table.md",
        "table.json",
        "plot.png",
    }
    (row,) = json.loads((folder / "table.json").read_text())["rows"]
    assert row["name"] == "cka" and row["seeds"] == 1 and row["paper"]["davis17"][0] == 72.75


def test_the_papers_recipe_in_the_official_layouts(limpet: Limpet, files: Path, tmp_path: Path) -> None:  # noqa: F811
    """Both stages, on DAVIS-2017's and YouTube-VOS's own folders, with everything but the size as published."""
    outcome = limpet(
        "study", "table-1", "--scale", "paper", "--stills", files / "stills", "--davis", files / "davis",
        "--youtube", files / "youtube", "--teacher-weights", files / "r50.safetensors",
        "--from", files / "start.safetensors", "--device", "cpu", "--dry-run", 2, "--out", "out",
    )  # fmt: skip
    outcome.succeeded()
    lines = outcome.out.splitlines()
    assert lines[0].startswith("vanilla, stills: 2 of 100000 steps on clips of 65 pixels, loss ")
    assert lines[1].startswith("vanilla, videos: 2 of 130000 steps on clips of 65 pixels, loss ")
    assert not (tmp_path / "out").exists()


def test_the_recipe_of_mobilevos_in_the_official_layouts(limpet: Limpet, files: Path) -> None:  # noqa: F811
    """Photos without the teacher, then videos with it; any teacher will do, and any student."""
    outcome = limpet(
        "study", "mobilevos-table-6", "--scale", "paper", "--stills", files / "stills", "--davis", files / "davis",
        "--youtube", files / "youtube", "--teacher", "deaot-l", "--teacher-weights", files / "teacher.safetensors",
        "--student", "mobilevos-mobilenet-v2-small", "--from", files / "start.safetensors", "--device", "cpu",
        "--dry-run", 1, "--out", "out",
    )  # fmt: skip
    outcome.succeeded()
    lines = outcome.out.splitlines()
    assert lines[0].startswith("omega-0.0, stills: 1 of 300000 steps on clips of 65 pixels, loss ")
    assert lines[1].startswith("omega-0.0, videos: 1 of 600000 steps on clips of 65 pixels, loss ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("no study is named", "limpet study --list")),
        (("table-3",), ("there is no study 'table-3'; did you mean table-",)),
        (("table-4", "--arms", "mse"), ("table-4 has no row 'mse'; its rows are kl, cka",)),
        (("table-4", "--stills", "x"), ("there is nothing to score students on; give --score ROOT:SPLIT",)),
        (("table-4", "--score", "a:b"), ("there is nothing to train on",)),
        (("table-4", "--davis", "x", "--score", "a:b"), ("--davis and --youtube are for --scale paper",)),
        (("table-4", "--scale", "paper", "--davis", "x"), ("give --stills and --youtube too",)),
        (
            ("mobilevos-table-8", "--student", "deaot-t"),
            ("--student would make the rows alike", "choose rows of one"),
        ),
        (("mobilevos-table-7", "--student", "deaot-x"), ("there is no model called 'deaot-x'",)),
        (("table-4", "--scale", "huge"), ("there is no scale 'huge'",)),
    ],
)
def test_bad_input_is_told(
    limpet: Limpet, arguments: tuple[str, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    limpet("study", *arguments).refused(*words)
    assert not (tmp_path / "studies").exists()


def test_a_teacher_without_weights_leaves_the_papers_figures(
    limpet: Limpet, given: tuple[object, ...], tmp_path: Path
) -> None:
    outcome = limpet("study", "table-8", *TINY, *given[2:], "--out", "out")
    assert outcome.code == 2
    assert (
        "no row of table-8 could be run" in outcome.err
        and "no weights of the teacher aot-l ship" in outcome.err
    )
    assert "67.25 / 66.70 / 67.80" in (tmp_path / "out/table-8/table.md").read_text()
