"""The bar: from the first frame to the last, and nowhere else."""

from __future__ import annotations

import pytest

from limpet.cli.progress import FrameProgress


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
