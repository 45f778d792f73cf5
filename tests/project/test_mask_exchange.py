"""Masks of other programs come into a project, and a project's masks go out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import MaskError, VideoError
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence
from limpet.project import Project
from limpet.project.mask_exchange import project_masks

from .tiny import COUNT, SIZE, Repeats, box, boxes, content


def masks_of(
    frames: dict[int, np.ndarray], names: dict[int, str], stated: frozenset[int] | None = None
) -> MaskSequence:
    def each() -> Iterator[MaskFrame]:
        for index, labels in frames.items():
            yield MaskFrame(index, index / 24, labels, stated)

    return MaskSequence("theirs", next(iter(frames.values())).shape, names, each)


def test_into_a_new_project(project: Project) -> None:
    done = project.import_masks(masks_of({0: boxes((1, 2), (3, 9)), 4: box(3, 7)}, {1: "cat", 3: ""}))
    assert (done.added, done.changed, done.same, done.locked) == ((1, 3), (0, 4), 0, ())
    assert project.objects == {1: "cat", 3: ""}
    assert np.array_equal(project.mask(4), box(3, 7))
    assert [project.status(k) for k in (0, 1, 4)] == ["corrected", "empty", "corrected"]
    assert project.key_frames(1) == (0, 4), "in frame 4 it is stated not to be visible"
    assert (
        project.edits[-1].kind == "import" and "theirs: 2 frames, new objects 1, 3" in project.edits[-1].what
    )
    project.undo()
    assert project.objects == {} and project.mask(0) is None


def test_only_what_differs_is_a_correction(project: Project) -> None:
    project.add(0, boxes((1, 2), (2, 9)))
    project.propagate(Repeats())  # type: ignore[arg-type]
    before = content(project.path)
    frames = {k: boxes((1, 2), (2, 9)) for k in range(COUNT)}
    assert project.import_masks(masks_of(frames, {1: "", 2: ""})).same == COUNT
    assert content(project.path).keys() == before.keys() and len(project.edits) == 2, "nothing was written"
    frames[5] = boxes((1, 3), (2, 9))
    project.lock(7)
    frames[7] = boxes((1, 4), (2, 9))
    done = project.import_masks(masks_of(frames, {1: "", 2: ""}))
    assert (done.added, done.changed, done.same, done.locked) == ((), (5,), COUNT - 2, (7,))
    assert project.key_frames(1) == (0, 5) and project.key_frames(2) == (0,)
    assert np.array_equal(project.mask(7), boxes((1, 2), (2, 9)))
    assert project.status(6) == "stale"


def test_what_is_not_stated_stays(project: Project) -> None:
    project.add(0, boxes((1, 2), (2, 9)))
    project.import_masks(masks_of({0: box(2, 12)}, {1: "", 2: ""}, frozenset({2})))
    assert np.array_equal(project.mask(0), boxes((1, 2), (2, 12)))


def test_what_does_not_fit_is_refused(project: Project) -> None:
    with pytest.raises(MaskError, match="are 3x4, but the project's video is 12x16"):
        project.import_masks(masks_of({0: np.ones((3, 4), np.uint8)}, {1: ""}))
    before = project.edits
    with pytest.raises(VideoError, match="no frame 10"):
        project.import_masks(masks_of({0: box(1, 2), COUNT: box(1, 2)}, {1: ""}))
    assert Project.open(project.path).edits == before


def test_out_of_a_project(project: Project, tmp_path: Path) -> None:
    project.add(0, box(1, 2), {1: "cat"})
    project.add(3, box(200, 9))
    masks = project_masks(project)
    found = {frame.index: frame for frame in masks}
    assert list(found) == [0, 3] and found[3].time == 3 / 24
    assert np.array_equal(found[3].labels, box(200, 9))
    assert (masks.name, masks.size, masks.frame_count, dict(masks.names)) == (
        "clip",
        SIZE,
        COUNT,
        {1: "cat", 200: ""},
    )
    assert "8 frames of the project have no mask" in masks.notices[0]
    (tmp_path / "clip").rename(tmp_path / "moved")
    lost = project_masks(Project.open(project.path))
    assert [frame.index for frame in lost] == [0, 3]
    assert "times of frames are not known" in lost.notices[0]


def test_objects_without_ids_are_known_by_their_names(project: Project) -> None:
    project.add(0, boxes((7, 2), (9, 9)), {7: "cat", 9: "dog"})
    theirs = masks_of({3: boxes((1, 9), (2, 2), (3, 13))}, {1: "dog", 2: "cat", 3: "bird"})
    theirs.numbered = True
    assert project.import_masks(theirs).added == (1,)
    assert project.objects == {1: "bird", 7: "cat", 9: "dog"}
    assert np.array_equal(project.mask(3), boxes((9, 9), (7, 2), (1, 13)))
