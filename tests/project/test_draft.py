"""Adding, correcting, removing, locking; and undo, which brings the earlier bytes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import MaskError, VideoError
from limpet.core.masks import write_mask
from limpet.project import Project, ProjectError, draft, project_view, snapshot
from limpet.project.propagation import Reporting

from .tiny import COUNT, SIZE, Repeats, box, boxes, content


def visible(project: Project) -> dict[int, tuple[bytes | None, str]]:
    """What a person sees of every frame: the bytes of its mask, and its status."""
    return {frame: (project.mask_bytes(frame), status) for frame, status in project.statuses()}


def test_a_new_project_is_empty(project: Project) -> None:
    assert project.size == SIZE and project.frame_count == COUNT
    assert project.objects == {} and project.edits == () and project.problems == ()
    assert [status for _, status in project.statuses()] == ["empty"] * COUNT
    assert project.mask(3) is None and project.confidence(3) == {}


def test_objects_come_in_at_any_frame(project: Project, tmp_path: Path) -> None:
    project.add(0, box(7, 2), names={7: "cat"})
    write_mask(tmp_path / "new.png", box(200, 3))
    project.add(4, tmp_path / "new.png")
    assert project.objects == {7: "cat", 200: ""}
    assert np.array_equal(project.mask(0), box(7, 2)) and np.array_equal(project.mask(4), box(200, 3))
    assert project.key_frames() == (0, 4) and project.key_frames(200) == (4,)
    assert project.confidence(4) == {200: 1.0}


def test_a_new_object_lies_in_front_and_the_others_stay(project: Project) -> None:
    project.add(0, box(1, 2))
    project.add(0, box(2, 4))
    assert np.array_equal(project.mask(0), boxes((1, 2), (2, 4)))


def test_a_correction_replaces_all_objects_or_the_named_ones(project: Project) -> None:
    project.add(0, boxes((1, 1), (2, 8)))
    project.correct(0, box(1, 2), objects=[1])
    assert np.array_equal(project.mask(0), boxes((1, 2), (2, 8)))
    project.correct(0, box(1, 3))
    assert np.array_equal(project.mask(0), box(1, 3)), (
        "object 2 is not in the mask, so it is not in the frame"
    )
    project.correct(0, None, objects=[1])
    assert not project.mask(0).any() and project.status(0) == "corrected"


def test_an_edit_that_is_committed_often_leaves_no_pages_behind_and_takes_none_of_others(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "PAGE", 4)
    for module in (draft, project_view):
        monkeypatch.setattr(module, "PAGE", 4)
    monkeypatch.setattr(draft, "REPLACED_SECONDS", -1.0)
    project.add(0, box(1, 2))
    project.propagate(Repeats())
    before = visible(project)
    project.correct(0, box(1, 5))
    project.propagate(Repeats(decay=0.8), reporting=Reporting(save_seconds=-1.0))
    after = visible(project)
    needed = {page for number in range(1, 5) for page in project._folder.read_snapshot(number).pages.values()}
    assert {path.stem for path in (project.path / "pages").rglob("*.json")} == needed
    project.undo()
    project.undo()
    assert visible(project) == before and not project.problems
    project.redo()
    project.redo()
    assert visible(Project.open(project.path)) == after


def test_a_correction_changes_one_frame(project: Project) -> None:
    project.add(0, box(1, 2))
    project.propagate(Repeats())
    before = {frame: project.mask_bytes(frame) for frame in range(COUNT)}
    project.correct(5, box(1, 6))
    after = {frame: project.mask_bytes(frame) for frame in range(COUNT)}
    assert {frame for frame in before if before[frame] != after[frame]} == {5}


def test_a_correction_makes_its_neighbours_stale_up_to_the_next_key_frame(project: Project) -> None:
    project.add(0, box(1, 2))
    project.correct(8, box(1, 2))
    project.propagate(Repeats())
    project.correct(5, box(1, 6))
    found = [status for _, status in project.statuses()]
    assert found == ["corrected", *["stale"] * 4, "corrected", "stale", "stale", "corrected", "propagated"]
    project.propagate(Repeats())
    assert "stale" not in dict(project.statuses()).values()


def test_an_object_is_not_missed_before_its_first_key_frame(project: Project) -> None:
    project.add(0, box(1, 2))
    project.propagate(Repeats())
    project.add(5, box(2, 8))
    found = [status for _, status in project.statuses()]
    assert found == ["corrected", *["propagated"] * 4, "corrected", *["stale"] * 4]


def test_removing_an_object_takes_it_out_of_every_frame_and_nothing_else(project: Project) -> None:
    project.add(0, box(1, 2))
    project.add(0, box(2, 8))
    project.add(3, box(3, 12))
    project.propagate(Repeats())
    project.remove(1)
    assert project.objects == {2: "", 3: ""}
    assert np.array_equal(project.mask(2), box(2, 8)) and np.array_equal(
        project.mask(6), boxes((2, 8), (3, 12))
    )
    assert project.key_frames() == (0, 3)


def test_a_frame_that_showed_only_the_removed_object_is_empty(project: Project) -> None:
    project.add(2, box(1, 2))
    project.remove(1)
    assert project.mask(2) is None and project.status(2) == "empty"
    assert project.key_frames() == ()


def test_an_object_in_a_locked_frame_is_not_removed_unasked(project: Project) -> None:
    project.add(0, box(1, 2))
    project.lock(0)
    with pytest.raises(ProjectError, match="frame 0 is locked and shows object 1; unlock it first"):
        project.remove(1)
    project.remove(1, include_locked=True)
    assert not project.mask(0).any() and project.status(0) == "locked"


def test_a_locked_frame_takes_no_mask(project: Project) -> None:
    project.add(0, box(1, 2))
    project.lock(0)
    with pytest.raises(ProjectError, match="frame 0 is locked; unlock it first"):
        project.correct(0, box(1, 3))
    with pytest.raises(ProjectError, match="frame 0 is locked"):
        project.add(0, box(2, 3))
    project.unlock(0)
    project.correct(0, box(1, 3))
    assert np.array_equal(project.mask(0), box(1, 3))


def test_only_frames_with_a_mask_can_be_locked(project: Project) -> None:
    project.add(2, box(1, 2))
    with pytest.raises(ProjectError, match="frame 3 has no mask to lock"):
        project.lock(2, 4)
    with pytest.raises(ProjectError, match="frames 4 to 2 are not a span"):
        project.lock(4, 2)
    project.lock(2)
    with pytest.raises(ProjectError, match="frame 2 is already locked"):
        project.lock(2)


EDITS: list[Callable[[Project], object]] = [
    lambda p: p.add(0, boxes((1, 1), (2, 6))),
    lambda p: p.propagate(Repeats()),
    lambda p: p.lock(3, 4),
    lambda p: p.correct(6, box(1, 4), objects=[1]),
    lambda p: p.propagate_between(Repeats(), 4, 6),
    lambda p: p.add(8, box(9, 12)),
    lambda p: p.propagate_backwards(Repeats(), 8, 7),
    lambda p: p.unlock(3),
    lambda p: p.remove(2, include_locked=True),
]


def test_undo_and_redo_of_every_edit_bring_back_the_very_bytes(project: Project) -> None:
    moments = [visible(project)]
    for edit in EDITS:
        edit(project)
        moments.append(visible(project))
        assert moments[-1] != moments[-2], "an edit that changes nothing would prove nothing"
    stored = content(project.path)
    for moment in reversed(moments[:-1]):
        project.undo()
        assert visible(project) == moment
        assert visible(Project.open(project.path)) == moment
    for moment in moments[1:]:
        project.redo()
        assert visible(project) == moment
    assert content(project.path) == stored, "undo and redo add and change no file"


def test_exports_after_undo_are_equal_file_by_file(project: Project, tmp_path: Path) -> None:
    for edit in EDITS[:2]:
        edit(project)
    project.export(tmp_path / "before", overlay=False)
    project.correct(5, box(1, 9))
    project.propagate(Repeats())
    project.export(tmp_path / "between", overlay=False)
    project.undo()
    project.undo()
    project.export(tmp_path / "after", overlay=False)
    before, between, after = (content(tmp_path / name / "masks") for name in ("before", "between", "after"))
    assert len(before) == COUNT and before == after and before != between


def test_a_new_edit_forgets_what_was_undone(project: Project) -> None:
    project.add(0, box(1, 2))
    project.correct(0, box(1, 3))
    assert project.undo().what == "object 1 at frame 0"
    project.correct(0, box(1, 4))
    with pytest.raises(ProjectError, match="there is nothing to redo; a new edit discards"):
        project.redo()
    assert [edit.number for edit in project.edits] == [1, 3], "numbers are never used twice"


def test_undo_at_the_beginning_says_so(project: Project) -> None:
    with pytest.raises(ProjectError, match="there is nothing to undo"):
        project.undo()


def test_ids_that_do_not_fit_are_named(project: Project) -> None:
    with pytest.raises(ProjectError, match="no object 3 in the project \\(it has none\\); add it first"):
        project.correct(0, box(3, 2))
    project.add(0, box(1, 2))
    with pytest.raises(
        ProjectError, match="object 1 is already in the project; give the new object another id"
    ):
        project.add(4, box(1, 2))
    with pytest.raises(ProjectError, match="there is no object 9 in the project"):
        project.remove(9)


def test_masks_that_do_not_fit_are_refused_and_nothing_is_written(project: Project) -> None:
    before = content(project.path)
    with pytest.raises(MaskError, match="mask is 3x3 but the frame is 12x16"):
        project.add(0, np.ones((3, 3), np.uint8))
    with pytest.raises(MaskError, match="holds no object"):
        project.add(0, np.zeros(SIZE, np.uint8))
    with pytest.raises(VideoError, match="the video has no frame 10: it has 10 frames, counted from 0"):
        project.add(10, box(1, 2))
    with pytest.raises(VideoError, match="no frame -1"):
        project.add(-1, box(1, 2))
    assert content(project.path) == before
