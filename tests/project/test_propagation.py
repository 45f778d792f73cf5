"""Following objects forwards, backwards and between key frames: what changes, and what must not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from networks import frames, small_tracker
from PIL import Image

from limpet.core.errors import VideoError
from limpet.project import Project, ProjectError
from limpet.project import propagation as running

from .tiny import COUNT, Repeats, box, boxes, make_video


def masks(project: Project) -> list[bytes | None]:
    return [project.mask_bytes(frame) for frame in range(COUNT)]


def changed(before: list[bytes | None], project: Project) -> list[int]:
    return [frame for frame, (a, b) in enumerate(zip(before, masks(project), strict=True)) if a != b]


def test_forwards_goes_to_the_end_of_the_video(project: Project) -> None:
    project.add(3, box(1, 2))
    outcome = project.propagate_forwards(Repeats(), 3)
    assert [project.status(frame) for frame in (2, 3, 4, 9)] == [
        "empty",
        "corrected",
        "propagated",
        "propagated",
    ]
    assert outcome.frames == outcome.steps == 6
    assert project.confidence(5)[1] == pytest.approx(0.81)
    assert all(np.array_equal(project.mask(frame), box(1, 2)) for frame in range(3, COUNT))


def test_forwards_ends_before_the_next_key_frame_unless_told_otherwise(project: Project) -> None:
    project.add(0, box(1, 2))
    project.propagate(Repeats())
    project.correct(6, box(1, 8))
    project.correct(2, box(1, 5))
    before = masks(project)
    project.propagate_forwards(Repeats(), 2)
    assert changed(before, project) == [3, 4, 5]
    project.propagate_forwards(Repeats(), 2, last=8)
    assert changed(before, project) == [3, 4, 5, 7, 8], "the key frame on the way stays"
    assert np.array_equal(project.mask(8), box(1, 8)), "and what comes after it follows it"


def test_backwards_goes_to_the_key_frame_before_or_to_the_beginning(project: Project) -> None:
    project.add(5, box(1, 2))
    tracker = Repeats()
    project.propagate_backwards(tracker, 5)
    assert tracker.started == [5] and tracker.stepped == [4, 3, 2, 1, 0]
    assert [project.mask(frame) is not None for frame in range(COUNT)] == [True] * 6 + [False] * 4
    project.correct(2, box(1, 9))
    before = masks(project)
    project.correct(5, box(1, 4))
    project.propagate_backwards(Repeats(), 5)
    assert changed(before, project) == [3, 4, 5]


def test_between_two_key_frames_each_has_its_half(project: Project) -> None:
    project.add(1, box(1, 2))
    project.correct(6, box(1, 10))
    before = masks(project)
    outcome = project.propagate_between(Repeats(), 1, 6)
    assert changed(before, project) == [2, 3, 4, 5] and (outcome.steps, outcome.frames) == (8, 4)
    lefts = [int(np.flatnonzero(project.mask(frame)[5])[0]) for frame in range(1, 7)]
    assert lefts == [2, 2, 2, 10, 10, 10]


def test_between_a_surer_pass_reaches_farther(project: Project) -> None:
    class SureBackwards(Repeats):
        def step(self, frame: np.ndarray, state: object) -> tuple[np.ndarray, object]:
            labels, after = super().step(frame, state)
            if after.seen[0] == 1 and after.seen[1] == 6:  # the backward pass begins at 6 and knows frame 1
                after.confidence[1] = 1.0
            else:
                after.confidence[1] = 0.1
            return labels, after

    project.add(1, box(1, 2))
    project.correct(6, box(1, 10))
    project.propagate_between(SureBackwards(), 1, 6)
    lefts = [int(np.flatnonzero(project.mask(frame)[5])[0]) for frame in range(1, 7)]
    assert lefts == [2, 10, 10, 10, 10, 10]


def test_an_object_that_ends_between_is_taken_from_where_it_was_seen(project: Project) -> None:
    project.add(0, boxes((1, 2), (2, 8)))
    project.correct(4, box(1, 2))
    project.propagate_between(Repeats(decay=1.0), 0, 4)
    assert np.array_equal(project.mask(1), boxes((1, 2), (2, 8)))
    assert np.array_equal(project.mask(4), box(1, 2))


def test_locked_frames_keep_their_bytes_and_act_as_key_frames(project: Project) -> None:
    project.add(0, box(1, 2))
    project.propagate(Repeats())
    project.correct(4, box(1, 8))
    project.lock(4)
    project.lock(6, 7)
    before = masks(project)
    project.correct(0, box(1, 12))
    tracker = Repeats()
    project.propagate_forwards(tracker, 0, last=9)
    assert changed(before, project) == [0, 1, 2, 3, 5]
    assert np.array_equal(project.mask(5), box(1, 8)), "the locked frame before it says so"
    assert np.array_equal(project.mask(8), box(1, 2)), "and so does the one after"
    assert {4, 6, 7} <= set(tracker.added)
    with pytest.raises(ProjectError, match="frame 3 is not a key frame and has no given mask"):
        project.propagate_forwards(tracker, 3)
    project.propagate_between(tracker, 4, 6)


def test_a_new_object_changes_only_its_own_pixels(project: Project) -> None:
    project.add(0, boxes((1, 2), (3, 9)))
    project.propagate(Repeats())
    before = masks(project)
    project.add(5, box(2, 4))
    project.correct(5, box(1, 0), objects=[1])
    project.propagate_backwards(Repeats(), 5, objects=[2])
    assert changed(before, project) == [0, 1, 2, 3, 4, 5]
    for frame in range(1, 5):
        expected = np.where(box(2, 4) > 0, 2, boxes((1, 2), (3, 9)))
        assert np.array_equal(project.mask(frame), expected)
    assert np.array_equal(project.mask(0), boxes((2, 4), (1, 2), (3, 9))), (
        "what was given there stays in front"
    )


def test_what_a_person_gave_is_never_painted_over(project: Project) -> None:
    project.add(0, box(1, 2))
    project.add(4, box(2, 3))
    project.propagate_forwards(Repeats(), 0)
    assert np.array_equal(project.mask(4) == 2, box(2, 3) == 2), "the given object is whole"
    assert np.array_equal(project.mask(4), boxes((1, 2), (2, 3)))


def test_all_that_is_stale_or_empty_is_done_and_then_nothing_is_left(project: Project) -> None:
    project.add(0, box(1, 2))
    project.add(3, box(2, 8))
    project.correct(7, box(1, 5), objects=[1])
    outcome = project.propagate(Repeats())
    assert set(dict(project.statuses()).values()) == {"corrected", "propagated"}
    assert outcome.frames > 0 and project.edits[-1].kind == "propagate"
    edits = len(project.edits)
    assert project.propagate(Repeats()).steps == 0 and len(project.edits) == edits, "nothing to do is no edit"


def test_an_object_erased_in_a_key_frame_may_come_back_and_the_tracker_knows_it(project: Project) -> None:
    project.add(0, boxes((1, 2), (2, 8)))
    project.correct(4, box(1, 2))
    tracker = Repeats()
    project.propagate_forwards(tracker, 4)
    assert tracker.started == [0] and tracker.stepped[0] == 4 and tracker.added == [4]
    assert np.array_equal(project.mask(5), box(1, 2)), "what was erased is not carried on"


def test_a_key_frame_where_nothing_is_to_be_seen_needs_a_reference(project: Project) -> None:
    project.add(4, box(1, 2))
    project.correct(4, None)
    with pytest.raises(ProjectError, match="frame 4 shows no object, so that there is nothing to propagate"):
        project.propagate_forwards(Repeats(), 4)
    assert len(project.edits) == 2


def test_spans_that_make_no_sense_are_refused(project: Project) -> None:
    project.add(4, box(1, 2))
    with pytest.raises(ProjectError, match="frame 2 is not after frame 4"):
        project.propagate_forwards(Repeats(), 4, last=2)
    with pytest.raises(ProjectError, match="frame 6 is not before frame 4"):
        project.propagate_backwards(Repeats(), 4, first=6)
    with pytest.raises(ProjectError, match="no frame between 4 and 5"):
        project.propagate_between(Repeats(), 4, 5)
    with pytest.raises(VideoError, match="has no frame 12: it ends after 10 frames, 0 to 9"):
        project.propagate_forwards(Repeats(), 4, last=12)


def test_a_propagation_that_is_stopped_keeps_what_it_did_as_one_edit(project: Project) -> None:
    project.add(0, box(1, 2))
    with pytest.raises(KeyboardInterrupt) as stopped:
        project.propagate(Repeats(fail_at=5, error=KeyboardInterrupt()))
    assert stopped.value.__notes__ == ["4 frames are kept as one edit; continue with propagate, or undo it"]
    opened = Project.open(project.path)
    assert not opened.edits[-1].complete
    assert [status for _, status in opened.statuses()] == ["corrected", *["propagated"] * 4, *["empty"] * 5]
    opened.propagate(Repeats())
    assert opened.edits[-1].complete and "empty" not in dict(opened.statuses()).values()
    opened.undo()
    opened.undo()
    assert opened.mask(1) is None


def test_what_is_done_is_saved_while_it_runs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SAVE_SECONDS", 0.0)
    project.add(0, box(1, 2))
    seen = []
    project.propagate(
        Repeats(),
        on_frame=lambda done, total: seen.append((done, total, Project.open(project.path).status(done))),
    )
    assert seen == [(k, 9, "propagated") for k in range(1, COUNT)]
    assert len(project.edits) == 2 and project.edits[-1].complete


def test_frames_that_cannot_be_decoded_repeat_the_mask_beside_them(tmp_path: Path) -> None:
    video = make_video(tmp_path / "clip")
    (video / "0003.png").write_bytes(b"no image")
    project = Project.create(tmp_path / "job", video)
    project.add(0, box(1, 2))
    outcome = project.propagate(Repeats())
    assert outcome.undecoded == (3,)
    assert np.array_equal(project.mask(3), box(1, 2)) and project.confidence(3) == {1: 0.0}


def test_a_real_tracker_there_and_back(tmp_path: Path) -> None:
    """Random weights: nothing is found, but every rule about who may change what must hold."""
    (tmp_path / "clip").mkdir()
    for index, image in enumerate(frames(7, 33, 49)):
        Image.fromarray(image).save(tmp_path / "clip" / f"{index}.png")
    project = Project.create(tmp_path / "job", tmp_path / "clip")
    first, later = np.zeros((33, 49), np.uint8), np.zeros((33, 49), np.uint8)
    first[4:20, 4:20], later[10:30, 25:45] = 7, 200
    tracker = small_tracker()
    project.add(0, first)
    project.propagate(tracker)
    project.add(3, later)
    project.correct(5, np.where(later > 0, 7, 0).astype(np.uint8), objects=[7])
    project.lock(3)
    locked, before = project.mask_bytes(3), project.mask(5)
    project.propagate(tracker)
    project.propagate_backwards(tracker, 3, 0, objects=[200])
    assert set(dict(project.statuses()).values()) <= {"corrected", "locked", "propagated"}
    assert project.mask_bytes(3) == locked
    assert np.array_equal(project.mask(0) == 7, first == 7) and np.array_equal(
        project.mask(5) == 7, before == 7
    )
    again = [project.mask_bytes(frame) for frame in range(7)]
    project.undo()
    project.undo()
    project.propagate(tracker)
    project.propagate_backwards(tracker, 3, 0, objects=[200])
    assert [project.mask_bytes(frame) for frame in range(7)] == again, "the same edits give the same bytes"


def test_forwards_is_what_tracking_gives(tmp_path: Path) -> None:
    images = frames(5, 33, 49)
    (tmp_path / "clip").mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "clip" / f"{index}.png")
    given = np.zeros((33, 49), np.uint8)
    given[4:20, 4:20], given[10:30, 25:45] = 7, 200
    tracker = small_tracker()
    project = Project.create(tmp_path / "job", tmp_path / "clip")
    project.add(0, given)
    project.propagate(tracker)
    state = tracker.start(images[0], given)
    for index, image in enumerate(images[1:], 1):
        expected, state = tracker.step(image, state)
        assert np.array_equal(project.mask(index), expected)
        assert project.confidence(index) == pytest.approx(state.confidence, abs=1e-4)
