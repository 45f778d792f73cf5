"""Sentences: results on stdout, the rest on stderr, in one piece where no terminal is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from limpet.cli.terminal import FrameProgress, StopBetweenFrames, error, note, notes, say, stop_on_sigterm
from limpet.results.run_folder import RUN_FOLDER

from .clips import frames_in, masks_of, picture, write_video
from .command import finish, start

LONG = "word " * 40 + "/a/path" * 30 + " [bold]:smile: 123[/bold]"


def test_nothing_is_wrapped_or_interpreted(capsys: pytest.CaptureFixture[str]) -> None:
    say(LONG)
    note(LONG)
    error(LONG)
    said = capsys.readouterr()
    assert said.out == f"{LONG}\n"
    assert said.err == f"note: {LONG}\nerror: {LONG}\n"


def test_control_characters_of_names_do_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    name = "dog\x1b]0;owned\x07\x1b[2J\rerror\nnote: all is well.mp4"
    note(f"{name} is cut off")
    error(f"{name} does not exist")
    say(f"{name}\n")
    said = capsys.readouterr()
    assert not {"\x1b", "\x07", "\r"} & set(said.out + said.err)
    assert said.err.splitlines() == [
        r"note: dog\x1b]0;owned\x07\x1b[2J\rerror\nnote: all is well.mp4 is cut off",
        r"error: dog\x1b]0;owned\x07\x1b[2J\rerror\nnote: all is well.mp4 does not exist",
    ]


def test_a_terminal_gets_lines_that_end_between_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    error("there is no folder/with/clip.mp4 here; expected a video file")
    lines = capsys.readouterr().err.splitlines()
    assert "error: there is no folder/with/clip.mp4" in lines[0] and "here; expected" in lines[1]
    assert lines[0].startswith("\x1b[31m"), "red"


def test_few_notes_of_many(capsys: pytest.CaptureFixture[str]) -> None:
    notes([f"line {number}" for number in range(5)], rest="see report.json", most=3)
    notes(["only one"], rest="see report.json", most=3)
    assert capsys.readouterr().err.splitlines() == [
        "note: line 0", "note: line 1", "note: line 2", "note: and 2 more, see report.json", "note: only one"
    ]  # fmt: skip


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.usefixtures("terminal")
def test_frames_speed_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with FrameProgress("clip.mp4") as progress:
        for done in range(1, 21):
            progress(done, 40)
        progress._bar.refresh()
        shown = capsys.readouterr().err
    assert "clip.mp4" in shown and "20/40" in shown and "frames/s" in shown and "left" in shown
    assert progress.done == 20
    assert capsys.readouterr().err.endswith("\x1b[2K"), "the line is wiped in the end"


@pytest.mark.usefixtures("terminal")
def test_nothing_shows_before_the_first_frame(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="bad"), FrameProgress("clip.mp4") as progress:
        raise ValueError("bad")
    assert progress.done == 0
    assert capsys.readouterr().err == ""


def test_without_a_terminal_nothing_shows(capsys: pytest.CaptureFixture[str]) -> None:
    with FrameProgress("clip.mp4") as progress:
        progress(1, 2)
        progress(2, 2)
    said = capsys.readouterr()
    assert (said.out, said.err, progress.done) == ("", "", 2)


@pytest.mark.usefixtures("terminal")
def test_lengths_are_estimates_and_names_are_long(capsys: pytest.CaptureFixture[str]) -> None:
    with FrameProgress("[b]" + "x" * 100 + "-left.mp4") as progress:
        progress(1, None)
        progress._bar.refresh()
        assert "1/?" in capsys.readouterr().err
        progress(5, 4)
        progress._bar.refresh()
        shown = capsys.readouterr().err
    assert "5/5" in shown, "there are at least as many frames as were done"
    assert f"…{'x' * 10}-left.mp4" in shown and "x" * 11 not in shown


@pytest.mark.usefixtures("terminal")
def test_another_description(capsys: pytest.CaptureFixture[str]) -> None:
    with FrameProgress() as progress:
        progress(1, 4, "bus")
        progress(2, 4, "swing")
        progress._bar.refresh()
        assert "swing" in capsys.readouterr().err.rpartition("bus")[2]


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
    long_clip: Path, mask: Path, full_weights: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = start(
        "track", long_clip, "--mask", mask, "--weights", full_weights, "--out", "out", cwd=tmp_path
    )
    wait_for(tmp_path / "out/masks/00003.png", process)
    process.send_signal(number)
    outcome = finish(process)
    masks = masks_of(tmp_path / "out")
    assert 4 <= len(masks) < 1000
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err == (
        f"note: stopped; the results of {len(masks)} frames are kept in out\n"
        "note: to continue, give the same command with --resume\n"
    )
    assert frames_in(tmp_path / "out/overlay.mp4") == len(masks)
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert (report["complete"], report["stopped_by"], report["frames"]) == (False, "interrupted", len(masks))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "masks", "overlay.mp4", "report.html", "report.json", "report.png", RUN_FOLDER
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
    assert outcome.err == "note: stopped before the first frame was tracked; nothing was written\n"
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


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C as Python has it, also where the tests run in the background, whose processes ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_before_the_first_frame_and_at_the_second_signal_nothing_waits() -> None:
    with pytest.raises(KeyboardInterrupt), StopBetweenFrames():
        signal.raise_signal(signal.SIGINT)
        pytest.fail("went on")
    with pytest.raises(KeyboardInterrupt), StopBetweenFrames() as stop:
        stop.frame_done()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("went on")


@pytest.mark.usefixtures("ctrl_c")
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
