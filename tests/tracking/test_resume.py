"""A run that is killed goes on, and what comes out is what an undisturbed run gives, byte for byte."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import av
import pytest
from networks import mask_of

from limpet.core.errors import OutputError
from limpet.results.journal import FrameRecord
from limpet.results.run_folder import RUN_FOLDER
from limpet.state import TrackerState
from limpet.tracking.resume import ResumePoint, remaining_frames
from limpet.tracking.state_checkpoints import Checkpoints
from limpet.tracking.track_video import TrackResult, track
from limpet.tracking.tracker import Tracker
from limpet.video.encode import EncodedExtent
from limpet.video.video_reader import Frame

from .killed import COUNT, LATER, PIECE, TORN, Run, content, flip, killed


def test_an_undisturbed_run_is_the_same_every_time(
    run: Run, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    run(tmp_path / "out")
    assert content(tmp_path / "out") == undisturbed
    assert {name.split("/")[0] for name in undisturbed} == {
        "masks", "overlay.mp4", "report.json", "report.html", "report.png"
    }  # fmt: skip
    assert len([name for name in undisturbed if name.startswith("masks/")]) == COUNT


def test_killed_anywhere(
    run: Run, undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies are made before and after changes of a name and lines of the journal; seven of them are resumed."""
    out, copies, chance = tmp_path / "out", [], random.Random(0)
    rename, append = Path.replace, "limpet.results.journal.Journal.append"

    def copy(always: bool = False) -> None:
        if out.is_dir() and (always or chance.random() < 0.3):
            copies.append(shutil.copytree(out, tmp_path / f"copy-{len(copies)}"))

    def replace(source: Path, target: Path) -> Path:
        copy("report" in str(target) and chance.random() < 0.5)
        found = rename(source, target)
        copy()
        return found

    def appended(journal: Any, *facts: Any) -> None:
        original(journal, *facts)
        copy()

    with monkeypatch.context() as patch:
        from limpet.results.journal import Journal

        original = Journal.append
        patch.setattr(append, appended)
        patch.setattr(Path, "replace", replace)
        run(out)
    assert len(copies) > 8
    for place in (copies[0], *chance.sample(copies[1:-1], 5), copies[-1]):
        run(place, resume=True)
        assert content(place) == undisturbed, place


def test_killed_twice_and_with_much_to_repeat(
    run: Run, undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """States are rare: what is repeated begins in one piece of the overlay and ends in the next."""

    def offer(checkpoints: Checkpoints, index: int, state: TrackerState) -> None:
        checkpoints._waiting = index, state
        if index in (2, 6):
            checkpoints.flush()

    monkeypatch.setattr("limpet.tracking.state_checkpoints.Checkpoints.offer", offer)
    first = tmp_path / "first"
    run(
        tmp_path / "whole",
        on_frame=lambda done, _: done == 6 and shutil.copytree(tmp_path / "whole", first),
    )
    result = killed_while_resuming(run, first, tmp_path / "second", 9)
    assert result.begun_at == 3
    assert run(tmp_path / "second", resume=True).begun_at == 7
    assert content(tmp_path / "second") == content(first) == undisturbed


def killed_while_resuming(run: Run, folder: Path, copy: Path, after: int) -> TrackResult:
    def on_frame(done: int, total: int | None) -> None:
        if done == after:
            shutil.copytree(folder, copy)

    return run(folder, resume=True, on_frame=on_frame)


def test_killed_where_tracking_begins_at_a_later_frame(
    tracker: Tracker, shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first mask there is no state, and its frames are read again. The first two have no picture."""
    monkeypatch.setattr("limpet.video.encode.SEGMENT_FRAMES", PIECE)
    monkeypatch.setattr("limpet.tracking.state_checkpoints.INTERVAL", 0.0)
    monkeypatch.setattr("limpet.tracking.state_checkpoints.LARGEST_SHARE", 1e9)
    video, whole = Path(shutil.copytree(shots, tmp_path / "shots")), tmp_path / "whole"
    for index in (0, 1):
        (video / f"{index:03d}.png").write_bytes(b"torn")

    def follow(out: Path, **more: Any) -> TrackResult:
        masks = {2: mask_of(7, 200), 6: LATER}
        return track(video, None, out, tracker=tracker, add=masks, max_frames=8, **more)

    follow(whole, on_frame=lambda done, _: shutil.copytree(whole, tmp_path / f"{done}"))
    for done in (1, 3, 5, 7):
        result = follow(tmp_path / f"{done}", resume=True)
        assert result.begun_at == (done if done > 2 else 0)
        assert content(tmp_path / f"{done}") == content(whole), done


class StopError(Exception):
    pass


def stop_after(count: int) -> Callable[[int, int | None], None]:
    def on_frame(done: int, total: int | None) -> None:
        if done == count:
            raise StopError

    return on_frame


@pytest.mark.parametrize("count", [1, PIECE, PIECE + 1, COUNT])
def test_stopped_in_order(run: Run, undisturbed: dict[str, bytes], tmp_path: Path, count: int) -> None:
    out = tmp_path / "out"
    with pytest.raises(StopError):
        run(out, on_frame=stop_after(count))
    with av.open(str(out / "overlay.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == count, "what is done plays"
    result = run(out, resume=True)
    assert (result.begun_at, result.frames, result.was_complete) == (count, COUNT, False)
    assert len(result.failures) == len(TORN) and result.object_ids == (7, 200, 9)
    assert content(out) == undisturbed


def test_an_error_of_the_disk_while_writing_down(
    run: Run, undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from limpet.results.journal import Journal

    append, calls = Journal.append, iter(range(1000))

    def full(journal: Journal, *facts: Any) -> None:
        if next(calls) == 11:
            raise OutputError("no space left")
        append(journal, *facts)

    with monkeypatch.context() as patch, pytest.raises(OutputError, match="no space left"):
        patch.setattr("limpet.results.journal.Journal.append", full)
        run(tmp_path / "out")
    run(tmp_path / "out", resume=True)
    assert content(tmp_path / "out") == undisturbed


def test_nothing_to_resume_begins(run: Run, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/.report.0a1b2c3d.tmp.json").touch()
    (tmp_path / "out" / RUN_FOLDER).mkdir()
    assert run(tmp_path / "out", resume=True).begun_at == 0
    assert content(tmp_path / "out") == undisturbed


def test_another_machine_is_told_in_the_report(
    run: Run, stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = killed(stock, tmp_path / "out", 4)
    monkeypatch.setattr("limpet.tracking.resume.environment_of", lambda tracker: {"threads": 99})
    (notice,) = run(out, resume=True).notices
    assert notice.startswith("from frame 4 on computed with") and "threads 99 instead of" in notice


def newest(out: Path) -> Path:
    return max((out / RUN_FOLDER).glob("state-*"))


def test_the_newest_state_is_damaged(
    run: Run, stock: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = killed(stock, tmp_path / "out", 8)
    flip(newest(out))
    assert run(out, resume=True).begun_at == 7, "there is one before it"
    assert content(out) == undisturbed


def test_the_open_segment_is_drawn_again_where_no_frame_is_left() -> None:
    """A run up to a number of frames was killed after the last of them, before its overlay was closed."""
    rows = tuple(
        FrameRecord(index, index / 24, True, {}, {}, 0, None, EncodedExtent(frames=2), (), ())
        for index in range(5)
    )
    point = ResumePoint(rows, state=None, end=0, environment={})  # type: ignore[arg-type]

    class Reader:
        failures: ClassVar[list[str]] = []

        def frames_from(self, index: int) -> Iterator[Frame]:
            yield from (Frame(k, None, k / 24) for k in range(index, 9))

    class Results:
        failures: ClassVar[list[str]] = []
        redrawn: ClassVar[list[int]] = []

        def redraw(self, frame: Frame) -> None:
            self.redrawn.append(frame.index)

    assert list(remaining_frames(point, Results(), Reader(), max_frames=5)) == []  # type: ignore[arg-type]
    assert Results.redrawn == [2, 3, 4]
    left = remaining_frames(point, Results(), Reader(), max_frames=7)  # type: ignore[arg-type]
    assert [next(left).index, next(left).index] == [5, 6], "the limit itself is kept by the caller"
