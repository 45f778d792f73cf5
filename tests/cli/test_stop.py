"""Ctrl-C and SIGTERM: exit code 130, and everything on the disk is whole up to the last frame."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from limpet.cli.stop import StopBetweenFrames, stop_on_sigterm
from limpet.video.work import WORK

from .clips import frames_in, masks_of, picture, write_video
from .command import finish, start


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Longer than any test waits."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    return write_video(path, [picture(index) for index in range(1000)])


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 100
    while not path.exists():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_run_that_is_stopped(
    long_clip: Path, mask: Path, weights: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = start("track", long_clip, "--mask", mask, "--weights", weights, "--out", "out", cwd=tmp_path)
    wait_for(tmp_path / "out/masks/00003.png", process)
    process.send_signal(number)
    outcome = finish(process)
    masks = masks_of(tmp_path / "out")
    assert 4 <= len(masks) < 1000
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err == (
        f"note: stopped; the results of {len(masks)} frames are kept in out\n"
        "note: to go on, give the same command with --resume\n"
    )
    assert frames_in(tmp_path / "out/overlay.mp4") == len(masks)
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert (report["complete"], report["stopped_by"], report["frames"]) == (False, "interrupted", len(masks))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "masks", "overlay.mp4", "report.html", "report.json", "report.png", WORK
    }  # fmt: skip


def test_a_run_that_is_stopped_before_its_first_frame(long_clip: Path, tmp_path: Path) -> None:
    """A mask that comes through a pipe which nobody fills: the run cannot get further."""
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    process = start("track", long_clip, "--mask", pipe, "--out", "out", cwd=tmp_path)
    writer = os.open(pipe, os.O_WRONLY)  # returns once the command opens the other end
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    outcome = finish(process)
    os.close(writer)
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err == "note: stopped before the first frame; nothing was written\n"
    assert not (tmp_path / "out").exists()


def test_the_frame_at_hand_is_finished_first() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), StopBetweenFrames() as stop:
        stop.frame_done()
        signal.raise_signal(signal.SIGTERM)
        done.append("the rest of the frame")
        stop.frame_done()
        done.append("another frame")
    assert done == ["the rest of the frame"]


def test_before_the_first_frame_and_at_the_second_signal_nothing_waits() -> None:
    with pytest.raises(KeyboardInterrupt), StopBetweenFrames():
        signal.raise_signal(signal.SIGINT)
        pytest.fail("went on")
    with pytest.raises(KeyboardInterrupt), StopBetweenFrames() as stop:
        stop.frame_done()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("went on")


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with StopBetweenFrames():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """nohup and background jobs of scripts start commands that way."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        stop_on_sigterm()
        with StopBetweenFrames():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_sigterm_ends_any_command_like_ctrl_c() -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        stop_on_sigterm()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
