"""A run that is killed goes on, and what comes out is what an undisturbed run gives, byte for byte.

What a kill leaves on the disk is a copy of the folder at that moment.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import av
import numpy as np
import pytest
from cli.clips import write_images
from networks import HEIGHT, WIDTH, frames, mask_of, small_tracker

from limpet.core.errors import OutputError, VideoError
from limpet.results.journal import FrameRecord
from limpet.results.run_folder import RUN_FOLDER
from limpet.state import TrackerState
from limpet.tracking.resume import ResumePoint, remaining_frames
from limpet.tracking.run_settings import check_can_read_again
from limpet.tracking.state_checkpoints import Checkpoints
from limpet.tracking.track_video import TrackResult, track
from limpet.tracking.tracker import Tracker
from limpet.video.encode import EncodedExtent, H264Writer
from limpet.video.open import open_video
from limpet.video.video_reader import Frame

PIECE = 4
"""Frames in a piece of the overlay, to have several in a short clip."""
COUNT = 10
TORN = (3, 4)
"""A piece begins with a frame that cannot be read, and so does the frame before it."""
LATER = np.zeros((HEIGHT, WIDTH), np.uint8)
LATER[40:60, 60:90] = 9
Run = Callable[..., TrackResult]


@pytest.fixture(scope="module", autouse=True)
def short_pieces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("limpet.video.encode.SEGMENT_FRAMES", PIECE)
        yield


@pytest.fixture(scope="module")
def tracker() -> Tracker:
    """Its memory grows."""
    return small_tracker(gap=2)


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames of which two cannot be read."""
    folder = write_images(tmp_path_factory.mktemp("stock") / "shots", frames(COUNT), "{:03d}.png")
    for index in TORN:
        (folder / f"{index:03d}.png").write_bytes(b"torn")
    return folder


@pytest.fixture(scope="module")
def run(tracker: Tracker, shots: Path) -> Iterator[Run]:
    """``track`` with a state after every frame."""

    def run(out: Path, **more: Any) -> TrackResult:
        settings = {"tracker": tracker, "add": {5: LATER}} | more
        return track(shots, mask_of(7, 200), out, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("limpet.tracking.state_checkpoints.INTERVAL", 0.0)
        patch.setattr("limpet.tracking.state_checkpoints.LARGEST_SHARE", 1e9)
        yield run


@pytest.fixture(scope="module")
def stock(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run in ``whole``; in ``3`` what was on the disk after three frames, and so on."""
    folder = tmp_path_factory.mktemp("runs")
    run(
        folder / "whole",
        on_frame=lambda done, total: shutil.copytree(folder / "whole", folder / str(done)),
    )
    return folder


@pytest.fixture(scope="module")
def undisturbed(stock: Path) -> dict[str, bytes]:
    return content(stock / "whole")


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def killed(stock: Path, out: Path, after: int) -> Path:
    """What is on the disk if a run is killed after so many frames."""
    return Path(shutil.copytree(stock / str(after), out))


def flip(path: Path, place: int = -100) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


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


def test_a_complete_result_is_left_alone(
    run: Run, undisturbed: dict[str, bytes], tmp_path: Path, tracker: Tracker
) -> None:
    first = run(tmp_path / "out")
    (tmp_path / "out" / RUN_FOLDER).mkdir()  # killed while it was removed
    result = run(tmp_path / "out", resume=True)
    assert result.was_complete and (result.frames, result.failures) == (COUNT, first.failures)
    assert content(tmp_path / "out") == undisturbed and not (tmp_path / "out" / RUN_FOLDER).exists()
    with pytest.raises(
        OutputError, match=r"run with other settings: masks_sha256 .* instead of .*; repeat the"
    ):
        run(tmp_path / "out", resume=True, add={6: LATER})
    assert content(tmp_path / "out") == undisturbed


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"add": {}}, "masks_sha256"),
        ({"overlay": False}, "overlay None instead of libx264"),
        ({"tracker": small_tracker(gap=2, max_size=48)}, "network_size"),
        ({"tracker": small_tracker()}, "memory first instead of official, memory_gap None instead of 2"),
    ],
    ids=["masks", "overlay", "size", "memory"],
)
def test_other_settings_are_refused(
    run: Run, stock: Path, tmp_path: Path, settings: dict[str, Any], word: str
) -> None:
    out = killed(stock, tmp_path / "out", 4)
    before = content(out)
    with pytest.raises(OutputError, match=f"out holds a run with other settings: .*{word}"):
        run(out, resume=True, **settings)
    assert content(out) == before


def test_another_video_is_refused_and_a_moved_one_is_not(
    run: Run, stock: Path, shots: Path, tmp_path: Path, tracker: Tracker
) -> None:
    out = killed(stock, tmp_path / "out", 4)
    moved = shutil.copytree(shots, tmp_path / "moved" / "shots")
    with (moved / "009.png").open("ab") as file:
        file.write(b"!")
    settings = {"tracker": tracker, "add": {5: LATER}, "resume": True}
    with pytest.raises(OutputError, match="video_fingerprint"):
        track(moved, mask_of(7, 200), out, **settings)
    shutil.copy(shots / "009.png", moved / "009.png")
    assert track(moved, mask_of(7, 200), out, **settings).begun_at == 4


def test_another_machine_is_told_in_the_report(
    run: Run, stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = killed(stock, tmp_path / "out", 4)
    monkeypatch.setattr("limpet.tracking.resume.environment_of", lambda tracker: {"threads": 99})
    (notice,) = run(out, resume=True).notices
    assert notice.startswith("from frame 4 on computed with") and "threads 99 instead of" in notice


def test_an_unfinished_run_is_not_overwritten_unasked(
    run: Run, stock: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = killed(stock, tmp_path / "out", 4)
    before = content(out)
    with pytest.raises(
        OutputError, match="an unfinished run; pass resume=True to resume it, or overwrite=True"
    ):
        run(out)
    with pytest.raises(OutputError, match="not both"):
        run(out, resume=True, overwrite=True)
    assert content(out) == before
    assert run(out, overwrite=True).begun_at == 0
    assert content(out) == undisturbed


def test_somebody_elses_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty and holds no run to resume"):
        run(tmp_path, resume=True)
    assert content(tmp_path) == {"thesis.txt": b"mine"}


def newest(out: Path) -> Path:
    return max((out / RUN_FOLDER).glob("state-*"))


def test_the_newest_state_is_damaged(
    run: Run, stock: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = killed(stock, tmp_path / "out", 8)
    flip(newest(out))
    assert run(out, resume=True).begun_at == 7, "there is one before it"
    assert content(out) == undisturbed


def states(out: Path) -> Iterator[Path]:
    yield from (out / RUN_FOLDER).glob("state-*")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda out: [flip(path) for path in states(out)], "state-00007.safetensors has another check sum"),
        (lambda out: [path.unlink() for path in states(out)], "state-00007.safetensors is not there"),
        (
            lambda out: flip(out / RUN_FOLDER / "memory-0-00000.safetensors"),
            "memory-0-00000.safetensors has another",
        ),
        (lambda out: flip(out / RUN_FOLDER / "journal.txt", 40), "line 1 of .*journal.txt is damaged"),
        (lambda out: flip(out / RUN_FOLDER / "journal.txt", 3000), "of .*journal.txt is damaged"),
        (lambda out: flip(out / "masks/00002.png"), "00002.png is not as the run wrote it"),
        (lambda out: (out / "masks/00002.png").unlink(), "00002.png cannot be read"),
    ],
    ids=["state", "no state", "memory", "journal's head", "journal", "mask", "no mask"],
)
def test_damage_is_told_and_nothing_is_lost(
    run: Run, stock: Path, tmp_path: Path, damage: Callable[[Path], object], words: str
) -> None:
    out = killed(stock, tmp_path / "out", 8)
    damage(out)
    before = content(out)
    with pytest.raises(OutputError, match=f"{words}.*overwrite=True"):
        run(out, resume=True)
    assert content(out) == before


def test_a_damaged_overlay(run: Run, stock: Path, tmp_path: Path) -> None:
    out = killed(stock, tmp_path / "out", PIECE + 1)
    flip(out / RUN_FOLDER / "overlay.mp4")
    with pytest.raises(OutputError, match="is not as the run wrote it"):
        run(out, resume=True)


def test_a_run_that_is_still_going_is_left_alone(
    run: Run, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    said: list[str] = []

    def disturb(done: int, total: int | None) -> None:
        for how in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(OutputError, match="another run is writing to") as refused:
                run(tmp_path / "out", **how)
            said.append(str(refused.value))

    run(tmp_path / "out", on_frame=disturb)
    assert len(said) == 2 * COUNT and content(tmp_path / "out") == undisturbed


def test_what_comes_only_once_cannot_be_resumed(shots: Path, clip_of_one_frame: Path) -> None:
    for path in (shots, clip_of_one_frame):
        with open_video(path) as reader:
            check_can_read_again(reader)
    reader.path = Path("camera:0")
    with pytest.raises(VideoError, match="is a stream, whose frames cannot be read again"):
        check_can_read_again(reader)


@pytest.fixture
def clip_of_one_frame(tmp_path: Path) -> Path:
    writer = H264Writer(tmp_path / "clip.mp4", (HEIGHT, WIDTH))
    writer.write(frames(1)[0], 0.0)
    writer.close()
    return tmp_path / "clip.mp4"


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
