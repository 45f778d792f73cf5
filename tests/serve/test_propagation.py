"""Propagations from the page: progress, cancelling, edits in between, and what is kept when a process is killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from limpet.core.masks import decode_mask
from limpet.project import Project
from limpet.serve import background
from limpet.serve.event_hub import EventHub

from .conftest import COUNT, Page, as_text, box


@pytest.fixture
def begun(page: Page) -> Page:
    """With one object in frame 0."""
    page.post("object/add", {"frame": 0, "mask": as_text(box(1, 2))})
    return page


@pytest.fixture
def slow(begun: Page, monkeypatch: pytest.MonkeyPatch) -> Page:
    """A step takes 0.2 seconds, and each frame is committed at once."""
    begun.bench.config = replace(begun.bench.config, model="slow")
    monkeypatch.setattr(background, "SAVE_SECONDS", 0.0)
    return begun


def statuses(page: Page) -> list[list[object]]:
    return page.get("/api/timeline")["statuses"]


def until_frame(page: Page, frame: int) -> None:
    """Wait until a frame has its mask, as a page that looks on sees it."""
    end = time.monotonic() + 60
    while page.mask(frame) is None:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_everything_is_propagated_and_told(begun: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    told = begun.events(monkeypatch)
    name = begun.post("propagate", {"mode": "all"})["id"]
    begun.wait()
    assert statuses(begun) == [[0, 0, "corrected"], [1, COUNT - 1, "propagated"]]
    assert all(np.array_equal(decode_mask(begun.mask(f) or b""), box(1, 2)) for f in range(COUNT))
    event, done = told[-1]
    assert event == "done" and done == {
        "id": name, "outcome": "finished", "message": "9 frames are propagated", "frames": 9,
    }  # fmt: skip
    progress = [data for event, data in told if event == "progress"]
    assert (
        progress[0]["what"] == "propagate all"
        and {"id", "step", "steps", "frame", "seconds"} <= progress[0].keys()
    )
    assert ("change", {"revision": begun.get("/api/state")["project"]["revision"]}) in told
    assert begun.post("undo")["frames"] == [1, COUNT - 1] and statuses(begun)[1:] == [[1, COUNT - 1, "empty"]]


def test_ranges_and_directions(begun: Page) -> None:
    begun.post("correct", {"frame": 6, "objects": [1], "mask": as_text(box(1, 9))})
    for way, expected in (
        ({"mode": "forwards", "start": 6, "stop": 7}, [0, 6, 7]),
        ({"mode": "backwards", "start": 6, "stop": 5, "objects": [1]}, [0, 5, 6, 7]),
        ({"mode": "between", "start": 0, "stop": 6}, list(range(8))),
    ):
        begun.post("propagate", way)
        begun.wait()
        assert [frame for frame in range(COUNT) if begun.mask(frame) is not None] == expected


def test_nothing_to_do_is_said(begun: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    begun.post("propagate")
    begun.wait()
    told = begun.events(monkeypatch)
    begun.post("propagate")
    begun.wait()
    assert told[-1][1]["outcome"] == "finished" and told[-1][1]["message"].startswith("nothing to do")


def test_frames_appear_while_it_runs_and_cancelling_keeps_them_as_one_edit(slow: Page) -> None:
    slow.post("propagate")
    until_frame(slow, 2)
    running = slow.get("/api/state")["project"]["running"]
    assert running["what"] == "propagate all" and running["frame"] >= 1 and running["steps"] == 9
    assert "a propagation runs already" in slow.refused("propagate", {}, 409)
    assert "kept as one edit" in slow.post("cancel")["message"]
    assert slow.get("/api/state")["project"]["running"] is None
    project = Project.open(slow.folder)
    done = [frame for frame in range(COUNT) if project.mask(frame) is not None]
    assert 3 <= len(done) < COUNT and done == list(range(len(done)))
    assert [edit.kind for edit in project.edits] == ["add", "propagate"] and not project.edits[-1].complete
    slow.post("undo")
    assert slow.mask(0) is not None and slow.mask(1) is None
    assert slow.post("cancel")["message"] == "no propagation runs"


def test_an_edit_stops_the_propagation_and_both_are_kept(slow: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    slow.post("propagate")
    until_frame(slow, 1)
    told = slow.events(monkeypatch)
    slow.post("correct", {"frame": 8, "objects": [1], "mask": as_text(box(1, 9))})
    assert [edit["kind"] for edit in slow.get("/api/state")["project"]["edits"]] == [
        "add",
        "propagate",
        "correct",
    ]
    assert np.array_equal(decode_mask(slow.mask(8) or b""), box(1, 9)) and slow.mask(1) is not None
    notices = [data["text"] for event, data in told if event == "notice"]
    assert len(notices) == 1 and notices[0].startswith("the propagation was stopped for this edit")
    before = slow.mask(8)
    slow.bench.config = replace(slow.bench.config, model="quick")
    slow.post("propagate")
    slow.wait()
    assert slow.mask(8) == before, "a corrected frame keeps its bytes"


def test_the_frames_are_served_while_it_runs(slow: Page) -> None:
    slow.post("propagate")
    until_frame(slow, 1)
    assert [int(slow.pixels(frame)[0, 0, 0]) for frame in (9, 0, 4)] == [90, 0, 40]
    assert slow.get("/api/state")["project"]["running"] is not None
    slow.post("cancel")


def test_a_killed_process_loses_no_frame_that_was_committed(
    slow: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = slow.events(monkeypatch)
    slow.post("propagate")
    until_frame(slow, 2)
    worker = slow.bench.background._worker
    assert worker is not None
    os.kill(worker._process.pid, signal.SIGKILL)
    slow.wait()
    assert told[-1][1]["outcome"] == "failed" and "what was committed is kept" in told[-1][1]["message"]
    assert slow.mask(2) is not None
    slow.bench.config = replace(slow.bench.config, model="quick")
    slow.post("propagate")
    slow.wait()
    assert slow.mask(COUNT - 1) is not None, "another process takes its place"


def test_a_propagation_whose_server_is_gone_keeps_what_it_did(slow: Page) -> None:
    """The end of its input is all that a killed server leaves to a process."""
    slow.post("propagate")
    until_frame(slow, 1)
    worker = slow.bench.background._worker
    assert worker is not None
    worker.close(30)
    project = Project.open(slow.folder)
    done = [frame for frame in range(COUNT) if project.mask(frame) is not None]
    assert 2 <= len(done) < COUNT and not project.edits[-1].complete


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"mode": "up"}, "mode is 'up'; expected one of all, forwards, backwards, between"),
        ({"mode": "forwards"}, "start is missing"),
        ({"mode": "between", "start": 0}, "stop is missing"),
        ({"model": "../../evil"}, "there is no model '../../evil' with weights"),
    ],
)
def test_what_cannot_be_propagated_is_refused(begun: Page, content: object, sentence: str) -> None:
    assert sentence in begun.refused("propagate", content)


def test_a_propagation_may_end_before_it_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = background.Background([sys.executable, "-c", ""], EventHub(), lambda: None)
    monkeypatch.setattr(background.WorkerProcess, "send", lambda worker, command: ends._on_propagation(None))
    assert ends.propagate("all", 0, {}) and ends.running is None


def test_a_failure_is_told(begun: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    told = begun.events(monkeypatch)
    begun.post("propagate", {"mode": "forwards", "start": 3})
    begun.wait()
    assert told[-1][1]["outcome"] == "failed" and "frame 3 is not a key frame" in told[-1][1]["message"]
    begun.bench.config = replace(begun.bench.config, model="broken")
    begun.post("propagate")
    begun.wait()
    assert told[-1][1]["message"] == "the model is broken"


@pytest.mark.parametrize("program", ["", "print('a library speaks'); print(7)"])
def test_a_process_that_ends_at_once_leaves_no_propagation_behind(page: Page, program: str) -> None:
    quick = background.Background([sys.executable, "-c", program], page.bench.hub, lambda: None)
    for _ in range(5):
        quick.propagate("all", 0, {})
        job = quick._running
        assert job is None or job.ended.wait(20)
        assert quick.running is None
    quick.close()
