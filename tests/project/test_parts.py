"""The small parts by themselves: stored files, pages, snapshots, spans, the head, merging."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from limpet.core.masks import decode_mask, encode_mask, write_mask
from limpet.project import ProjectError
from limpet.project.draft import Draft
from limpet.project.folder import Folder
from limpet.project.merge_passes import Predicted, choose, compose, with_given
from limpet.project.project import spans
from limpet.project.project_file import Edit, Head, read_head, write_head
from limpet.project.snapshot import (
    PAGE,
    Entry,
    Snapshot,
    read_page,
    read_snapshot,
    with_span,
    write_page,
    write_snapshot,
)
from limpet.project.store import Store
from limpet.project.video_reference import VideoReference

from .tiny import SIZE, box, boxes, make_video

DIGEST = "0123456789abcdef" * 4


def test_equal_content_is_stored_once_under_its_own_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "masks", ".png")
    digest = store.put(b"one")
    assert store.put(b"one") == digest and store.put(b"two") != digest
    assert store.get(digest) == b"one" and len(list(store.files())) == 2
    assert store.path(digest).read_bytes() == b"one" and store.path(digest).stem == digest


def test_storing_again_mends_a_damaged_file(tmp_path: Path) -> None:
    store = Store(tmp_path, ".png")
    digest = store.put(b"whole")
    store.path(digest).write_bytes(b"who")
    with pytest.raises(ProjectError, match="is damaged or was edited"):
        store.get(digest)
    store.put(b"whole")
    assert store.get(digest) == b"whole"


def test_masks_are_the_files_that_tracking_writes(tmp_path: Path) -> None:
    mask = boxes((7, 2), (255, 9))
    write_mask(tmp_path / "mask.png", mask)
    assert encode_mask(mask) == (tmp_path / "mask.png").read_bytes()
    assert np.array_equal(decode_mask(encode_mask(np.zeros(SIZE, np.uint8))), np.zeros(SIZE))


def test_a_page_has_one_frame_a_line_in_their_order() -> None:
    page = {12: Entry(DIGEST, {2: (5, 0.91234), 1: (3, 1.0)}), 3: Entry(DIGEST, {})}
    text = write_page(page).decode()
    assert [line.split(":")[0] for line in text.splitlines()[1:-1]] == ['"3"', '"12"']
    assert read_page(text.encode()) == {12: Entry(DIGEST, {2: (5, 0.9123), 1: (3, 1.0)}), 3: page[3]}
    with pytest.raises(ProjectError, match="'xyz' is not a sha256"):
        read_page(text.replace(DIGEST, "xyz", 1).encode())


def test_a_snapshot_comes_back_as_it_was() -> None:
    snapshot = Snapshot({3: "cat", 1: ""}, {9: (1, 3), 2: (3,)}, ((2, 4), (9, 9)), {0: DIGEST, 7: DIGEST})
    text = write_snapshot(snapshot, 4)
    assert read_snapshot(text) == snapshot and write_snapshot(read_snapshot(text), 4) == text
    with pytest.raises(ValueError, match="unexpected content"):
        read_snapshot(json.dumps({"objects": {}}))


def test_spans_are_sets_of_frames() -> None:
    chance = np.random.default_rng(3)
    found: tuple[tuple[int, int], ...] = ()
    expected: set[int] = set()
    for _ in range(200):
        first = int(chance.integers(0, 30))
        last = first + int(chance.integers(0, 6))
        put = bool(chance.integers(0, 2))
        found = with_span(found, first, last, put)
        expected = expected | set(range(first, last + 1)) if put else expected - set(range(first, last + 1))
        assert {f for a, b in found for f in range(a, b + 1)} == expected
        assert all(a[1] + 1 < b[0] for a, b in pairwise(found)), "apart and in order"
        assert [f for f in range(40) if Snapshot(locked=found).is_locked(f)] == sorted(expected)


def test_the_head_comes_back_with_what_it_does_not_know() -> None:
    video = VideoReference("../ü.mp4", 12, DIGEST, SIZE, None, False)
    edits = (Edit(2, "add", "object 1"), Edit(5, "propagate", "all", complete=False))
    head = Head(video, edits, 1, 0, 6, {"note": ["x"]})
    assert read_head(write_head(head)) == head and head.current == 2
    assert read_head(write_head(Head(video))) == Head(video) and Head(video).current == 0


def test_an_edit_drops_what_was_undone_and_replaces_itself() -> None:
    head = Head(VideoReference("v", 1, DIGEST, SIZE, 3, True))
    for number in (1, 2, 3):
        head = head.with_edit(Edit(number, "add", ""))
    undone = Head(head.video, head.edits, 1, 0, 4)
    assert [e.number for e in undone.with_edit(Edit(4, "add", "")).edits] == [1, 4]
    running = head.with_edit(Edit(4, "propagate", "", complete=False))
    assert running.with_edit(Edit(4, "propagate", "")).edits == (*head.edits, Edit(4, "propagate", ""))


def test_an_edit_of_one_frame_rewrites_one_page(tmp_path: Path) -> None:
    video = VideoReference.of(make_video(tmp_path / "clip"), tmp_path / "job")
    folder = Folder.create(tmp_path / "job", video)
    draft = Draft(folder)
    for frame in (0, PAGE - 1, PAGE, 5 * PAGE):
        draft.put(frame, box(1, 2), {1: 1.0})
    draft.commit("add", "")
    before = dict(folder.snapshot.pages)
    assert sorted(before) == [0, 1, 5]
    draft = Draft(folder)
    draft.put(PAGE + 3, box(1, 3), {1: 0.5})
    draft.commit("add", "")
    after = folder.snapshot.pages
    assert {page for page in after if after[page] != before[page]} == {1}
    assert [frame for frame, _ in folder.table.entries()] == [0, PAGE - 1, PAGE, PAGE + 3, 5 * PAGE]


def predicted(labels: np.ndarray, frame: int = 0, **sure: float) -> Predicted:
    return Predicted(frame, labels, {int(name[1:]): value for name, value in sure.items()})


def test_followed_objects_come_and_go_and_all_else_stays() -> None:
    present = boxes((1, 0), (2, 5), (3, 12))
    said = predicted(boxes((1, 1), (2, 6), (3, 0)))
    result = compose(present, [(2, said)], (), said.labels)
    gone = (present == 2) & (said.labels != 2)
    assert np.array_equal(result == 2, said.labels == 2)
    assert np.array_equal(result[~gone & (said.labels != 2)], present[~gone & (said.labels != 2)])
    assert not result[gone].any()


def test_a_neighbour_fills_what_a_followed_object_left_but_no_stranger_does() -> None:
    present = boxes((1, 0), (2, 3))
    said = predicted(box(1, 2, width=6))  # object 1 lies where object 2 was
    assert np.array_equal(compose(present, [(2, said)], (), said.labels), np.where(present == 2, 1, present))
    stranger = predicted(box(9, 2, width=6))
    assert np.array_equal(compose(present, [(2, stranger)], (), stranger.labels), box(1, 0))


def test_the_surer_object_wins_where_two_meet_and_given_pixels_stay() -> None:
    one, other = predicted(box(1, 2)), predicted(box(2, 4))
    empty = np.zeros(SIZE, np.uint8)
    assert np.array_equal(compose(empty, [(1, one), (2, other)], (), empty), boxes((1, 2), (2, 4)))
    assert np.array_equal(compose(empty, [(2, other), (1, one)], (), empty), boxes((2, 4), (1, 2)))
    given = box(5, 3)
    assert np.array_equal(compose(given, [(1, one)], (5,), empty), boxes((1, 2), (5, 3)))


def test_what_was_given_replaces_the_prediction() -> None:
    assert np.array_equal(with_given(boxes((1, 0), (2, 8)), box(1, 4), [1]), boxes((1, 4), (2, 8)))


@pytest.mark.parametrize(
    ("frame", "forwards", "backwards", "chosen"),
    [
        (1, 0.5, 0.9, "forwards"),
        (5, 0.5, 0.5, "forwards"),
        (5, 0.5, 0.6, "backwards"),
        (9, 0.9, 0.5, "backwards"),
    ],
)
def test_the_weight_of_a_pass_is_nearness_times_confidence(
    frame: int, forwards: float, backwards: float, chosen: str
) -> None:
    passes = {
        "forwards": predicted(box(1, 0), frame, o1=forwards),
        "backwards": predicted(box(1, 9), frame, o1=backwards),
    }
    [(object_id, source)], sure = choose(passes["forwards"], passes["backwards"], {1: 0}, {1: 10})
    assert object_id == 1 and source is passes[chosen]
    assert sure == {1: forwards if chosen == "forwards" else backwards}


def test_an_object_with_one_key_frame_is_taken_from_that_side() -> None:
    one, other = predicted(box(1, 0), 5, o1=0.1, o2=0.1), predicted(box(1, 9), 5, o1=0.9, o2=0.9)
    found, _ = choose(one, other, {1: 0, 2: None, 3: None}, {1: None, 2: 10, 3: None})
    assert dict(found) == {1: one, 2: other}


def test_spans_of_frames_in_words() -> None:
    assert spans([0, 1, 2, 7, 9, 10]) == "0-2, 7, 9-10"
    assert spans([0, 2, 4, 6], most=2) == "0, 2 and 2 more"
