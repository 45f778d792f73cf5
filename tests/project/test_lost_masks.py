"""Masks, pages and snapshots that are gone or damaged: told by every command, exported as incomplete, mended."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli.command import Limpet

from limpet.core.masks import write_mask
from limpet.exchange.formats import write_masks
from limpet.project import Project, ProjectError
from limpet.project.mask_exchange import project_masks
from limpet.serve.downloads import write_download

from .tiny import COUNT, Repeats, State, box, boxes, content


class Moves(Repeats):
    """Object 1 has a pixel that tells the frame, so that no two masks are the same file."""

    def step(self, frame: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        mask, after = super().step(frame, state)
        mask[11, :] = 0
        mask[11, int(frame[0, 0, 0])] = 1
        return mask, after


@pytest.fixture
def followed(project: Project) -> Project:
    """Objects 1 and 2 from frame 0 on in all frames; each frame's mask is a file of its own."""

    project.add(0, boxes((1, 2), (2, 9)))
    project.propagate(Moves())  # type: ignore[arg-type]
    return project


@pytest.fixture
def limpet(capsys: pytest.CaptureFixture[str]) -> Limpet:
    return Limpet(capsys)


def mask_file(project: Project, frame: int) -> Path:
    entry = project.entry(frame)
    assert entry is not None
    return project.masks.path(entry.mask)


def lose(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes({"truncated": data[:-20], "empty": b"", "scrambled": data[::-1]}[how])


HOWS = ("removed", "truncated", "empty", "scrambled")


@pytest.mark.parametrize("how", HOWS)
def test_a_lost_mask_is_listed_and_propagating_mends_it(
    limpet: Limpet, followed: Project, how: str, tmp_path: Path
) -> None:
    before = {frame: followed.mask_bytes(frame) for frame in range(COUNT) if frame != 6}
    lose(mask_file(followed, 6), how)
    status = limpet("project", "status", followed.path)
    assert "the mask of frame 6 is lost" in status.err and "stale: 1 frame: 6" in status.out
    opened = Project.open(followed.path)
    assert list(opened.lost_masks()) == [6]
    tracker = Repeats()
    assert opened.propagate(tracker).frames > 0  # type: ignore[arg-type]
    assert opened.lost_masks() == {} and opened.mask(6) is not None
    assert set(dict(opened.statuses()).values()) == {"corrected", "propagated"}
    assert before[0] == opened.mask_bytes(0)


@pytest.mark.parametrize("how", HOWS)
def test_a_lost_mask_can_be_corrected(followed: Project, how: str) -> None:
    lose(mask_file(followed, 6), how)
    opened = Project.open(followed.path)
    opened.correct(6, box(1, 5), objects=[1])
    assert opened.lost_masks() == {} and np.array_equal(opened.mask(6), box(1, 5))
    assert opened.status(6) == "corrected" and list(opened.confidence(6)) == [1], (
        "object 2 is not known there"
    )
    opened.propagate(Moves())  # type: ignore[arg-type]
    assert list(opened.confidence(6)) == [1, 2] and (opened.mask(6) == 2).any()


def test_a_lost_mask_before_the_first_key_frame_is_propagated_backwards(project: Project) -> None:
    project.add(5, box(1, 4))
    project.propagate_backwards(Moves(), 5)  # type: ignore[arg-type]
    mask_file(project, 2).unlink()
    opened = Project.open(project.path)
    assert opened.status(2) == "stale"
    opened.propagate(Moves())  # type: ignore[arg-type]
    assert opened.lost_masks() == {} and opened.status(2) == "propagated" and (opened.mask(2) == 1).any()


def test_a_given_mask_that_is_lost_must_be_given_again(
    limpet: Limpet, followed: Project, tmp_path: Path
) -> None:
    lose(mask_file(followed, 0), "truncated")
    assert "unreadable: 1 frame: 0" in limpet("project", "status", followed.path).out
    opened = Project.open(followed.path)
    with pytest.raises(
        ProjectError, match="the mask that was given for frame 0 is lost; give it again with limpet"
    ):
        opened.propagate(Repeats())  # type: ignore[arg-type]
    write_mask(tmp_path / "again.png", boxes((1, 2), (2, 9)))
    limpet("project", "correct", followed.path, 0, tmp_path / "again.png").succeeded()
    mended = Project.open(followed.path)
    assert mended.lost_masks() == {} and mended.status(0) == "corrected"


def test_a_given_mask_that_is_lost_is_not_given_again_in_part(followed: Project) -> None:
    """Object 2 would have no given mask left, and never be propagated again."""
    lose(mask_file(followed, 0), "removed")
    opened = Project.open(followed.path)
    with pytest.raises(
        ProjectError, match="frame 0 is lost; give it again with limpet project correct, with object 2 in"
    ):
        opened.correct(0, box(1, 5), objects=[1])
    with pytest.raises(ProjectError, match="with objects 1, 2 in it"):
        opened.add(0, box(3, 12))
    opened.correct(0, boxes((1, 2), (2, 9)))
    assert opened.status(0) == "corrected" and opened.key_frames(2) == (0,)


def test_a_locked_mask_that_is_lost(followed: Project) -> None:
    followed.lock(6)
    lose(mask_file(followed, 6), "removed")
    opened = Project.open(followed.path)
    assert opened.status(6) == "unreadable"
    with pytest.raises(
        ProjectError, match="the mask of frame 6 is lost, and the frame is locked; unlock it first"
    ):
        opened.propagate(Repeats())  # type: ignore[arg-type]
    opened.unlock(6)
    opened.propagate(Repeats())  # type: ignore[arg-type]
    assert opened.lost_masks() == {}


def test_removing_an_object_does_not_make_a_lost_mask_blank(followed: Project) -> None:
    lose(mask_file(followed, 6), "removed")
    opened = Project.open(followed.path)
    opened.remove(2)
    assert opened.status(6) == "empty" and opened.mask(6) is None
    opened.propagate(Repeats())  # type: ignore[arg-type]
    assert opened.mask(6) is not None


@pytest.mark.parametrize("how", HOWS)
def test_an_export_with_a_lost_mask_is_not_complete(
    limpet: Limpet, followed: Project, how: str, tmp_path: Path
) -> None:
    lose(mask_file(followed, 6), how)
    outcome = limpet("project", "export", followed.path, tmp_path / "out", "--no-overlay")
    outcome.refused("the result is not complete: 1 masks are missing or damaged", "all background: 6")
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["complete"] is False and "all background: 6" in report["stopped_by"]
    assert report["problems"] == [report["stopped_by"]] and report["frames"] == COUNT
    whole = {f"masks/{k:05d}.png": followed.mask_bytes(k) for k in range(COUNT) if k != 6}
    assert whole.items() <= content(tmp_path / "out").items()
    with pytest.raises(ProjectError, match=r"is missing|is damaged"):
        write_masks(project_masks(Project.open(followed.path)), tmp_path / "coco.json", "coco")
    assert not (tmp_path / "coco.json").exists()


@pytest.mark.parametrize("how", HOWS)
def test_an_export_with_a_damaged_page_is_not_complete(
    limpet: Limpet, followed: Project, how: str, tmp_path: Path
) -> None:
    """The masks of the page are not known: background, a list, and no exit code 0."""
    [page] = [followed.path / f"pages/{d[:2]}/{d}.json" for d in followed.snapshot.pages.values()]
    lose(page, how)
    outcome = limpet("project", "export", followed.path, tmp_path / "out", "--no-overlay")
    outcome.refused("the result is not complete: ", "frames 0 to 999", f"all background: 0-{COUNT - 1}")
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["complete"] is False and len(report["problems"]) == 2
    limpet("convert", followed.path, "--to", "coco", tmp_path / "coco.json").refused("cannot be read whole")
    (tmp_path / "down").mkdir()
    with pytest.raises(ProjectError, match="cannot be read whole"):
        write_download(Project.open(followed.path), "masks", tmp_path / "down", lambda done, total: None)


@pytest.mark.parametrize("how", HOWS)
def test_an_export_of_an_earlier_snapshot_says_so(
    limpet: Limpet, followed: Project, how: str, tmp_path: Path
) -> None:
    """The newest snapshot is lost: the removed object is back, and the exit code and the report tell it."""
    followed.remove(2)
    lose(followed.path / "history/00003.json", how)
    outcome = limpet("project", "export", followed.path, tmp_path / "out", "--no-overlay")
    outcome.refused("the result is not complete: ", "00003.json")
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["complete"] is False and "00003.json" in report["stopped_by"]


def test_what_is_left_of_project_json(limpet: Limpet, followed: Project, tmp_path: Path) -> None:
    (followed.path / "project.json").write_text("{")
    for words in (("export", followed.path, tmp_path / "out"), ("propagate", followed.path)):
        outcome = limpet("project", *words)
        outcome.refused("project.json is not valid")
        assert "another video" not in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_project_without_an_object(limpet: Limpet, project: Project) -> None:
    limpet("project", "propagate", project.path).refused("the project has no object yet; add one first")


def test_a_frame_that_the_video_does_not_have(limpet: Limpet, followed: Project) -> None:
    limpet("project", "propagate", followed.path, "--forwards", 99).refused(
        f"the video has no frame 99: it has {COUNT} frames"
    )
