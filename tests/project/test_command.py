"""`limpet project`, with a tracker that repeats masks in place of a model."""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.command import program

import limpet
from limpet.core.masks import write_mask
from limpet.project import Project

from .tiny import COUNT, Repeats, box, content


@pytest.fixture
def job(tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with object 1 at frame 0; `limpet.load` gives the tracker that repeats."""
    monkeypatch.setattr(limpet, "load", lambda name, **options: Repeats(), raising=False)
    folder = tmp_path / "job"
    run("new", folder, video)
    write_mask(tmp_path / "a.png", box(1, 2))
    run("add", folder, 0, tmp_path / "a.png", "--name", "1=cat")
    return folder


def run(*arguments: object, code: int = 0) -> str:
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said), pytest.raises(SystemExit) as end:
        program()(["project", *map(str, arguments)], prog_name="limpet")
    assert end.value.code == code, said.getvalue()
    return said.getvalue()


def test_a_whole_session(job: Path, tmp_path: Path) -> None:
    assert "edit 2: propagate what was empty or stale" in run("propagate", job)
    assert "nothing to do" in run("propagate", job)
    run("lock", job, 7, 8)
    write_mask(tmp_path / "b.png", box(1, 9))
    assert "5 frames are stale or empty; update them" in run("correct", job, 3, tmp_path / "b.png")
    run("propagate", job, "--between", 0, 3)
    run("propagate", job, "--forwards", 3)
    run("propagate", job, "--backwards", 3, "--to", 2, "--object", 1)
    text = run("status", job)
    for line in (
        "objects: 1 (cat)", "corrected: 2 frames: 0, 3", "locked: 2 frames: 7-8", "propagated: 6 frames: 1-2, 4-6, 9",
        "edit 7: propagate object 1 backwards from frame 3 to 2",
    ):  # fmt: skip
        assert line in text
    assert "undone: propagate object 1 backwards" in run("undo", job)
    assert "[undone]" in run("status", job)
    assert "redone: propagate" in run("redo", job)
    assert f"{COUNT} frames" in run("export", job, tmp_path / "out", "--no-overlay")
    project = Project.open(job)
    for frame in range(COUNT):
        assert (tmp_path / "out" / "masks" / f"{frame:05d}.png").read_bytes() == project.mask_bytes(frame)
    run("unlock", job, 7, 8)
    run("remove", job, 1)
    assert "0 edits discarded, 0 files removed" in run("tidy", job)
    assert "objects: none" in run("status", job)


def test_what_is_missing_in_an_export_is_told(job: Path, tmp_path: Path) -> None:
    text = run("export", job, tmp_path / "out", "--no-overlay")
    assert "9 frames have no mask and are all background: 1-9" in text


def test_an_object_can_be_absent(job: Path) -> None:
    run("correct", job, 4, "--absent", "--object", 1)
    assert not Project.open(job).mask(4).any()
    assert "give either the corrected mask as PNG, or --absent" in run("correct", job, 4, code=2)


def test_two_projects_are_compared(job: Path, tmp_path: Path, video: Path) -> None:
    run("new", tmp_path / "twin", video)
    text = run("diff", job, tmp_path / "twin")
    assert "mask differs: 1 frame: 0" in text and "status differs: 0 frames" in text


def test_the_video_can_be_elsewhere(job: Path, tmp_path: Path, video: Path) -> None:
    video.rename(tmp_path / "moved")
    assert f"limpet project video {job} VIDEO" in run("propagate", job, code=2)
    run("video", job, tmp_path / "moved")
    run("propagate", job)


def test_mistakes_are_one_sentence_in_the_words_of_the_command_line(job: Path, tmp_path: Path) -> None:
    before = content(job)
    small = np.zeros((3, 4), np.uint8)
    small[1, 1] = 2
    write_mask(tmp_path / "small.png", small)

    def error(*arguments: object) -> str:
        text = run(*arguments, code=2)
        assert text.startswith("error: ") and text.count("\n") == 1
        return text

    assert "resize it or pass --resize-mask" in error("add", job, 2, tmp_path / "small.png")
    assert "expected ID=NAME, for instance 3=cat" in error("add", job, 2, tmp_path / "a.png", "--name", "cat")
    assert "give only one of --forwards" in error("propagate", job, "--forwards", 0, "--backwards", 0)
    assert "--to needs --forwards or --backwards" in error("propagate", job, "--to", 4)
    assert "frame 4 is not a key frame" in error("propagate", job, "--forwards", 4)
    assert "make one with: limpet project new" in error("status", tmp_path / "nothing")
    assert content(job) == before
    run("lock", job, 0)
    assert "--include-locked" in error("remove", job, 1)


def test_a_damaged_project_is_shown_and_not_changed(job: Path) -> None:
    (job / "project.json").write_text("{")
    assert "showing the newest snapshot" in run("status", job)
    assert "open for reading only" in run("undo", job, code=2)


def test_nothing_heavy_is_imported_for_the_help(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(limpet, "load", refuse, raising=False)
    assert "propagate" in run("--help")
