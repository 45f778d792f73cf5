"""The last line of `limpet track`: where a person should look."""

from __future__ import annotations

from pathlib import Path

import pytest

from limpet.cli.track import _tell
from limpet.tracking.track_video import TrackResult

MOMENTS = [f"object {number} lost at 00:01.0 (frame 25), back at frame 30" for number in range(1, 6)]


def told(capsys: pytest.CaptureFixture[str], count: int) -> list[str]:
    _tell(TrackResult(Path("out"), 50, 9.8, (1, 2), (), (), look_first=tuple(MOMENTS[:count])))
    return capsys.readouterr().out.splitlines()


def test_nothing_is_said_of_a_steady_video(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, 0) == ["50 frames, objects 1, 2, 9.8 frames/s -> out"]


def test_the_worst_three_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, 2)[1:] == [f"look first: {MOMENTS[0]}; {MOMENTS[1]}"]
    assert told(capsys, 5)[1:] == [f"look first: {'; '.join(MOMENTS[:3])}; and 2 more in report.html"]
