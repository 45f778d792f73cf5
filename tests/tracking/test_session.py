"""TODO."""

from __future__ import annotations

import io
import json
import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import small_tracker
from PIL import Image
from video.clips import SIZE, make_clip
from video.streams import TEST_CAMERA, FakeCamera, served

from limpet.core.errors import VideoError
from limpet.tracking.session import Limit, WriteBehind
from limpet.tracking.track_video import TrackResult, track
from limpet.tracking.tracker import Tracker
from limpet.video.sources import Pipe, PipeInput


def test_one_job_works_while_the_next_thing_is_made() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), []

    def slow(number: int) -> None:
        begun.set()
        assert go_on.wait(10)
        done.append(number)

    with WriteBehind() as behind:
        behind.put(slow, 1)
        assert begun.wait(10) and done == [], "put comes back while the job is at work"
        go_on.set()
        behind.put(slow, 2)
        assert done[0] == 1, "the second job begins after the first has ended"
        behind.wait()
        assert done == [1, 2]
        behind.put(slow, 3)
    assert done == [1, 2, 3], "leaving waits for the last"


def fail() -> None:
    raise OSError("no space")


def test_an_error_comes_at_the_next_call_or_on_leaving() -> None:
    with WriteBehind() as behind:
        behind.put(fail)
        with pytest.raises(OSError, match="no space"):
            behind.put(lambda: pytest.fail("must not begin"))
        behind.wait()  # it was told once
    with pytest.raises(OSError, match="no space"), WriteBehind() as behind:
        behind.put(fail)


def test_what_went_wrong_first_is_told_and_the_last_job_is_done_all_the_same() -> None:
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt), WriteBehind() as behind:
        behind.put(done.append, 1)
        raise KeyboardInterrupt
    assert done == [1]
    with pytest.raises(KeyboardInterrupt), WriteBehind() as behind:
        behind.put(fail)
        raise KeyboardInterrupt


COUNT = 6


@pytest.fixture(scope="module")
def tracker() -> Tracker:
    return small_tracker()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mkv", COUNT)


def square(size: tuple[int, int] = SIZE) -> np.ndarray:
    mask = np.zeros(size, np.uint8)
    mask[10:30, 10:30] = 7
    return mask


def piped(clip: Path) -> Pipe:
    return Pipe("standard input", PipeInput(io.BytesIO(clip.read_bytes())))


def report_of(result: TrackResult) -> dict[str, Any]:
    return json.loads((result.folder / "report.json").read_text())


def masks_of(folder: Path) -> list[np.ndarray]:
    return [np.array(Image.open(path)) for path in sorted((folder / "masks").iterdir())]


def interrupt_at(frame: int) -> Any:
    def on_frame(done: int, total: int | None) -> None:
        if done == frame:
            raise KeyboardInterrupt

    return on_frame


def test_a_pipe_gives_what_the_file_gives(tracker: Tracker, clip: Path, tmp_path: Path) -> None:
    of_file = track(clip, square(), tmp_path / "file", tracker=tracker)
    result = track(piped(clip), square(), tmp_path / "pipe", tracker=tracker)
    for one, other in zip(masks_of(of_file.folder), masks_of(result.folder), strict=True):
        assert np.array_equal(one, other)
    assert result.stream is not None and result.stream.mode == "block" and of_file.stream is None
    assert result.notices == of_file.notices == ()
    report = report_of(result)
    assert (report["complete"], report["source"]) == (True, "standard input")
    assert (
        report["info"]["stream"]["dropped_before"] == [0] * COUNT
        and "stream" not in report_of(of_file)["info"]
    )


def test_a_live_source_ends_when_it_is_stopped(tracker: Tracker, tmp_path: Path) -> None:
    camera = FakeCamera()
    result = track(camera, square(TEST_CAMERA), tmp_path / "out", tracker=tracker, on_frame=interrupt_at(3))
    assert result.frames == len(masks_of(result.folder)) == 3 and result.problems == ()
    report = report_of(result)
    assert (report["complete"], report["stopped_by"], report["frames"]) == (True, None, 3)
    assert camera.released.wait(10)
    dropped = report["info"]["stream"]["dropped"]
    assert dropped == sum(report["info"]["stream"]["dropped_before"][1:])
    assert any(f"{dropped} of {dropped + 3} frames dropped" in line for line in result.notices) == bool(
        dropped
    )


def test_a_live_source_that_falls_silent_can_be_stopped(tracker: Tracker, clip: Path, tmp_path: Path) -> None:
    data, done = make_clip(tmp_path / "clip.ts", 30).read_bytes(), threading.Event()

    def send(to: socket.socket) -> None:
        to.sendall(data)
        done.wait(60)

    def stop() -> None:
        if seen:
            done.set()
            raise KeyboardInterrupt

    seen: list[int] = []
    with served(send) as host:
        result = track(
            f"tcp://{host}", square(), tmp_path / "out", tracker=tracker, live="drop",
            on_frame=lambda count, total: seen.append(count), on_wait=stop,
        )  # fmt: skip
    assert result.frames == len(seen) > 0 and report_of(result)["complete"] is True


def test_a_pipe_that_is_stopped_is_not_complete(tracker: Tracker, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        track(piped(clip), square(), tmp_path / "out", tracker=tracker, on_frame=interrupt_at(2))
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert (report["complete"], report["frames"]) == (False, 2)
    assert report["info"]["stream"]["mode"] == "block"


def test_a_stream_cannot_be_resumed(tracker: Tracker, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="standard input is a stream, whose frames cannot be read again"):
        track(piped(clip), square(), tmp_path / "out", tracker=tracker, resume=True)


def test_files_know_no_modes(tracker: Tracker, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(
        VideoError, match=r"clip\.mkv is not a stream: all of its frames are read; drop is for"
    ):
        track(clip, square(), tmp_path / "out", tracker=tracker, live="drop")


@pytest.mark.parametrize("stream", [False, True], ids=["file", "stream"])
def test_limits(tracker: Tracker, clip: Path, tmp_path: Path, stream: bool) -> None:
    totals: list[int | None] = []

    def video() -> Any:
        return piped(clip) if stream else clip

    few = track(
        video(), square(), tmp_path / "few", tracker=tracker, max_frames=2,
        on_frame=lambda done, total: totals.append(total),
    )  # fmt: skip
    assert few.frames == len(masks_of(few.folder)) == 2 and totals == [2, 2]
    brief = track(video(), square(), tmp_path / "brief", tracker=tracker, max_seconds=0.1)
    assert brief.frames == 3, "at 0, 0.04 and 0.08 s"
    assert report_of(few)["complete"] and report_of(brief)["complete"]


def test_nothing_is_read_after_the_last_frame_that_is_wanted() -> None:
    def steps() -> Any:
        yield (type("F", (), {"index": 0, "time": 0.0}), None, None)
        pytest.fail("waited for a frame that nobody wants")

    assert len(list(Limit(max_frames=1).until(steps()))) == 1


@pytest.mark.parametrize("limit", [{"max_frames": 0}, {"max_seconds": -1.0}, {"max_seconds": float("nan")}])
def test_limits_that_leave_nothing(limit: dict[str, Any]) -> None:
    with pytest.raises(VideoError, match=r"expected at least 1 frame and 0 seconds, or None"):
        Limit(**limit)


def test_what_to_expect() -> None:
    assert Limit().expected(None) is None and Limit(max_frames=5).expected(None) == 5
    assert Limit(max_frames=5).expected(3) == 3 and Limit().expected(3) == 3
