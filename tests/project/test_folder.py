"""Folders that are copied, damaged, edited by hand, newer, or left by a crash: nothing is lost, nothing is changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import OutputError, VideoError
from limpet.project import Project, ProjectError, folder, store
from limpet.project.store import Store

from .tiny import COUNT, Repeats, box, boxes, content, make_video


@pytest.fixture
def filled(project: Project) -> Project:
    """Objects 1 and 2 from frame 0 on; three edits."""
    project.add(0, boxes((1, 2), (2, 9)), names={1: "left"})
    project.propagate(Repeats())
    project.correct(5, box(1, 4), objects=[1])
    return project


def change_head(project: Project, **entries: object) -> None:
    path = project.path / "project.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def refused(folder: Path, message: str) -> Project:
    """Opens a folder that must be for reading only because of ``message``, without changing a byte of it."""
    before = content(folder)
    opened = Project.open(folder)
    assert any(message in problem for problem in opened.problems), opened.problems
    with pytest.raises(ProjectError, match="open for reading only"):
        opened.add(1, box(9, 1))
    with pytest.raises(ProjectError, match="open for reading only"):
        opened.undo()
    with pytest.raises(ProjectError, match="open for reading only"):
        opened.tidy(min_age=0)
    assert content(folder) == before
    return opened


def test_it_opens_as_it_was_and_opening_writes_nothing(filled: Project) -> None:
    before = content(filled.path)
    opened = Project.open(filled.path)
    assert opened.problems == () and opened.objects == {1: "left", 2: ""}
    assert list(opened.statuses()) == list(filled.statuses())
    assert [opened.mask_bytes(f) for f in range(COUNT)] == [filled.mask_bytes(f) for f in range(COUNT)]
    assert content(filled.path) == before


def test_the_same_edits_give_the_same_folder(filled: Project, tmp_path: Path, video: Path) -> None:
    other = Project.create(tmp_path / "twin", video)
    other.add(0, boxes((1, 2), (2, 9)), names={1: "left"})
    other.propagate(Repeats())
    assert list(other.differences(filled)) == [
        *((f, "status") for f in (1, 2, 3, 4)), (5, "mask"), *((f, "status") for f in (6, 7, 8, 9))
    ]  # fmt: skip
    other.correct(5, box(1, 4), objects=[1])
    assert list(other.differences(filled)) == []
    assert content(other.path) == content(filled.path)


def test_it_moves_together_with_its_video(filled: Project, tmp_path: Path) -> None:
    elsewhere = tmp_path / "far" / "away"
    shutil.copytree(filled.path, elsewhere / "job")
    shutil.copytree(tmp_path / "clip", elsewhere / "clip")
    shutil.rmtree(filled.path)
    shutil.rmtree(tmp_path / "clip")
    moved = Project.open(elsewhere / "job")
    moved.propagate(Repeats())
    assert "stale" not in dict(moved.statuses()).values()


def test_without_its_video_results_can_be_read_and_corrected(
    filled: Project, tmp_path: Path, video: Path
) -> None:
    video.rename(tmp_path / "other")
    opened = Project.open(filled.path)
    assert np.array_equal(opened.mask(5), boxes((1, 4), (2, 9)))
    opened.correct(6, box(1, 5), objects=[1])
    with pytest.raises(
        VideoError, match=r"video of the project cannot be read: .*clip does not exist.*limpet project video"
    ):
        opened.propagate(Repeats())
    opened.set_video(tmp_path / "other")
    opened.propagate(Repeats())


def test_another_video_in_its_place_is_noticed(filled: Project, tmp_path: Path, video: Path) -> None:
    shutil.rmtree(video)
    make_video(video, count=COUNT - 1)
    with pytest.raises(
        VideoError, match=r"clip is not the video the project was made with \(\d+ bytes instead of \d+\)"
    ):
        filled.propagate(Repeats())
    with pytest.raises(VideoError, match="its masks would not fit"):
        filled.set_video(make_video(tmp_path / "short", count=4))


def test_a_folder_from_a_newer_version_can_be_read(filled: Project) -> None:
    change_head(filled, version=2, new_thing={"a": 1})
    opened = refused(
        filled.path, "made by a newer limpet (layout 2, this one knows 1); update limpet to edit it"
    )
    assert np.array_equal(opened.mask(5), boxes((1, 4), (2, 9)))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"position": 7}, "position is 7, but there are 3 edits"),
        ({"next": 2}, "the numbers of base, edits and next are not in ascending order: [0, 1, 2, 3, 2]"),
        ({"video": {}}, "it lacks the entry 'size'"),
        ({"edits": 5}, "unexpected content"),
        ({"format": "other"}, 'it lacks "format": "limpet-project"'),
    ],
)
def test_a_head_edited_by_hand_is_named_and_the_newest_snapshot_shown(
    filled: Project, entries: dict[str, object], message: str
) -> None:
    change_head(filled, **entries)
    opened = refused(filled.path, message)
    assert np.array_equal(opened.mask(5), boxes((1, 4), (2, 9)))
    assert "showing the newest snapshot instead (00003.json)" in opened.problems[0]


def test_a_head_cut_off_in_the_middle(filled: Project) -> None:
    path = filled.path / "project.json"
    path.write_bytes(path.read_bytes()[:100])
    assert refused(filled.path, "project.json is not valid").mask(0) is not None


def test_a_note_added_by_hand_survives_edits(filled: Project) -> None:
    change_head(filled, note="ask Ada about frame 5")
    opened = Project.open(filled.path)
    opened.lock(5)
    assert json.loads((filled.path / "project.json").read_text())["note"] == "ask Ada about frame 5"


def test_a_missing_snapshot_shows_the_one_before(filled: Project) -> None:
    (filled.path / "history" / "00003.json").unlink()
    opened = refused(filled.path, "00003.json is missing: the folder was copied incompletely; copy it again")
    assert np.array_equal(opened.mask(5), boxes((1, 2), (2, 9)))


def test_a_damaged_snapshot_is_named(filled: Project) -> None:
    path = filled.path / "history" / "00003.json"
    path.write_text(path.read_text().replace('"1": "left"', '"300": "left"'))
    refused(filled.path, "00003.json is not valid: object id 300 is not between 1 and 255")


def test_a_missing_page_leaves_its_frames_unreadable(filled: Project) -> None:
    shutil.rmtree(filled.path / "pages")
    opened = refused(filled.path, "frames 0 to 999")
    assert opened.status(0) == "unreadable" and opened.objects == {1: "left", 2: ""}


def test_a_missing_mask_is_named_and_all_others_can_be_read(filled: Project) -> None:
    corrected = filled.mask_bytes(5)
    [path] = [p for p in (filled.path / "masks").rglob("*.png") if p.read_bytes() == corrected]
    path.unlink()
    opened = Project.open(filled.path)
    assert list(opened.lost_masks()) == [5] and opened.lost_masks()[5].startswith(
        "the mask of frame 5 is lost"
    )
    assert np.array_equal(opened.mask(4), boxes((1, 2), (2, 9)))
    with pytest.raises(ProjectError, match=r"\.png is missing; copy the project folder again"):
        opened.mask(5)


def test_a_damaged_mask_is_not_taken_for_a_result(filled: Project) -> None:
    digest = json.loads(next((filled.path / "pages").rglob("*.json")).read_text())["0"]["mask"]
    path = filled.path / "masks" / digest[:2] / f"{digest}.png"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ProjectError, match="is damaged or was edited: its sha256 differs from its name"):
        Project.open(filled.path).mask(0)


def test_two_programs_do_not_overwrite_each_other(filled: Project) -> None:
    other = Project.open(filled.path)
    other.lock(0)
    with pytest.raises(ProjectError, match="changed by another program since it was opened; open it again"):
        filled.lock(1)
    assert Project.open(filled.path).position == 4


def test_what_is_no_project_says_how_to_make_one(tmp_path: Path, video: Path) -> None:
    with pytest.raises(ProjectError, match=r"clip holds no project .*; make one with: limpet project new"):
        Project.open(video)
    with pytest.raises(ProjectError, match="nowhere does not exist"):
        Project.open(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="exists and is not empty; choose another folder for the project"):
        Project.create(video, video)


class Crash(BaseException):
    """The power goes."""


def test_a_crash_at_any_write_leaves_the_last_whole_state(
    filled: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write ends in one rename; the program dies instead of the n-th of them, and leaves its temporary file."""
    rename, crashes = Path.replace, 0

    def state(project: Project) -> list[tuple[bytes | None, str]]:
        return [(project.mask_bytes(frame), status) for frame, status in project.statuses()]

    before = state(filled)
    for survived in range(40):
        copy = tmp_path / f"job{survived}"
        shutil.copytree(filled.path, copy)
        left = [survived]

        def dying(self: Path, target: Path, left: list[int] = left) -> Path:
            if left[0] == 0:
                raise Crash
            left[0] -= 1
            return rename(self, target)

        project = Project.open(copy)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", dying)
            patch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
            try:
                project.propagate_between(Repeats(), 0, 5)
            except Crash:
                crashes += 1
        opened = Project.open(copy)
        assert opened.problems == () and opened.lost_masks() == {}
        after = state(opened)
        if opened.position == len(filled.edits):
            assert after == before
        else:
            assert opened.position == len(filled.edits) + 1
            opened.undo()
            assert state(opened) == before
        opened.propagate(Repeats())
        if left[0] > 0:
            break
    assert crashes > 5 and left[0] > 0, "the loop must reach a run without a crash"


def test_tidy_removes_what_nothing_refers_to_and_keeps_the_result(filled: Project) -> None:
    filled.undo()
    filled.correct(5, box(1, 6), objects=[1])  # edit 3 can no longer be redone
    (filled.path / ".project.0123abcd.tmp.json").write_text("left by a crash")
    masks = [filled.mask_bytes(frame) for frame in range(COUNT)]
    assert filled.tidy().files == 0, "what is young may belong to an edit that is being made"
    done = filled.tidy(min_age=-10)
    assert (
        done.files == 4 and done.nbytes > 0 and done.edits == 0
    )  # a mask, a page, a snapshot, a temporary file
    assert not (filled.path / "history" / "00003.json").exists()
    assert [filled.mask_bytes(frame) for frame in range(COUNT)] == masks
    filled.undo()
    filled.undo()
    filled.undo()
    assert filled.mask(0) is None


def test_tidy_forgets_old_edits_when_told(filled: Project) -> None:
    masks = [filled.mask_bytes(frame) for frame in range(COUNT)]
    assert filled.tidy(keep=1, min_age=-10).edits == 2
    opened = Project.open(filled.path)
    assert opened.problems == () and len(opened.edits) == opened.position == 1
    assert [opened.mask_bytes(frame) for frame in range(COUNT)] == masks
    assert opened.undo().kind == "correct"
    assert np.array_equal(opened.mask(5), boxes((1, 2), (2, 9)))
    with pytest.raises(ProjectError, match="nothing to undo"):
        opened.undo()
    assert opened.redo().kind == "correct"
    with pytest.raises(ProjectError, match="keep is -1; expected 0 or more"):
        opened.tidy(keep=-1)


def test_a_project_is_opened_again_as_others_left_it(project: Project) -> None:
    project.add(0, box(1, 2))
    other = Project.open(project.path)
    other.rename(1, "cat")
    other.set_extra("colors", {"1": "#123456"})
    assert not project.is_current()
    with pytest.raises(ProjectError, match="was changed by another program since it was opened"):
        project.rename(1, "dog")
    again = project.reopened()
    assert again.objects == {1: "cat"} and again.extra == {"colors": {"1": "#123456"}} and again.is_current()
    assert project.objects == {1: ""}, "what was opened before stays as it was"
    again.undo()
    assert again.objects == {1: ""} and again.extra == {"colors": {"1": "#123456"}}, "an entry is no edit"
    assert again.changed_since(project) is None
    again.correct(4, box(1, 3))
    assert again.changed_since(project) == [4, 4]


def test_opening_again_reads_only_what_is_new(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.add(0, box(1, 2))
    assert project.confidence(0) == {1: 1.0}, "its page was read once"
    read = []
    get = Store.get
    monkeypatch.setattr(Store, "get", lambda self, digest: read.append(digest) or get(self, digest))
    project.reopened()
    assert read == []
    other = Project.open(project.path)
    other.correct(3, box(1, 4))
    read.clear()
    again = project.reopened()
    assert read == list(again.snapshot.pages.values())
    assert np.array_equal(again.mask(3), box(1, 4))


def test_each_page_is_handed_over_as_it_is_checked(project: Project) -> None:
    project.add(0, box(1, 2))
    seen = []
    opened = Project.open(project.path, lambda *page: seen.append(page))
    assert seen == [(0, opened.snapshot.pages[0], {0: opened.entry(0)})]
    next((project.path / "pages").glob("*/*.json")).write_text("{}")
    assert "is damaged" in Project.open(project.path, lambda *page: seen.append(page)).problems[0]
    assert len(seen) == 1


def test_what_an_edit_refers_to_is_on_the_disk_before_it_counts(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def note(path: Path) -> None:
        assert path.exists()
        synced.append((path.name if path.is_dir() else path.suffix, len(Project.open(project.path).edits)))

    monkeypatch.setattr(store, "sync", note)
    monkeypatch.setattr(folder, "sync", note)
    project.add(0, box(1, 2))
    assert synced == [(".png", 0), (".json", 0), (".json", 0), (".json", 0), ("job", 1)]
    synced.clear()
    project.undo()
    assert synced == [(".json", 1), ("job", 1)], "undo writes project.json alone"
