"""Workspaces: the settings, the list of trackers, and sequences made of labelled videos."""

from __future__ import annotations

import configparser
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import DataError, OutputError
from limpet.data import evaluation_videos
from limpet.evaluation.vot.stacks import EAO_INTERVAL, find_stack
from limpet.evaluation.vot.vot_files import read_sequences
from limpet.evaluation.vot.workspace import (
    TrackerEntry,
    add_tracker,
    anchors_of,
    stack_of,
    write_config,
    write_sequences,
)

from ..tiny import SIZE, box, make_sequence, make_split


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """ "one" has an object; "two" has object 7 in all frames and object 9 from frame 4 on."""
    one = [box(4, index) for index in range(7)]
    two = [
        np.where(box(2, index) > 0, 7, box(14, 4, number=9) * (index >= 4)).astype(np.uint8)
        for index in range(7)
    ]
    make_sequence(tmp_path / "DAVIS", "one", one)
    make_sequence(tmp_path / "DAVIS", "two", two)
    make_split(tmp_path / "DAVIS", "2017/val", ["one", "two"])
    return tmp_path / "DAVIS"


def test_one_sequence_for_each_object(data: Path, tmp_path: Path) -> None:
    left_out = write_sequences(tmp_path / "ws", evaluation_videos(data, "2017/val"), False, anchor_distance=3)
    assert left_out == []
    one, seven, nine = read_sequences(tmp_path / "ws")
    assert [each.name for each in (one, seven, nine)] == ["one", "two-7", "two-9"]
    assert one.anchors == [1, 0, 0, 1, 0, 0, -1] and nine.anchors == [0, 0, 0, 0, 0, 0, -1]
    (regions,) = one.truth.values()
    assert np.array_equal(regions[2].on_image(SIZE), box(4, 2) > 0)  # type: ignore[union-attr]
    facts = (tmp_path / "ws/sequences/one/sequence").read_text().splitlines()
    assert facts == ["channels.color=color/%08d.jpg", "fps=24", "width=40", "height=24", "length=7"]
    frames = sorted((tmp_path / "ws/sequences/one/color").iterdir())
    assert [path.name for path in frames] == [f"{index:08}.jpg" for index in range(1, 8)]
    assert frames[0].read_bytes() == (data / "JPEGImages/480p/one/00000.jpg").read_bytes()


def test_all_objects_at_once(data: Path, tmp_path: Path) -> None:
    left_out = write_sequences(tmp_path / "ws", evaluation_videos(data, "2017/val"), True)
    assert left_out == ["two: object 9 is not in the first frame"]
    one, two = read_sequences(tmp_path / "ws")
    assert (one.name, two.name, list(two.truth), one.anchors) == ("one", "two", ["object"], [])


def test_anchors_run_where_more_frames_lie() -> None:
    masks = [box(4, 4)] * 11
    assert anchors_of(masks, 1, 4) == [1, 0, 0, 0, 1, 0, 0, 0, -1, 0, -1]
    masks[4] = box(4, 4, number=2)
    assert anchors_of(masks, 1, 4) == [1, 0, 0, 0, 0, 0, 0, 0, -1, 0, -1], "none where it is not in view"
    with pytest.raises(DataError, match="the distance of anchors is 0"):
        anchors_of(masks, 1, 0)


def test_the_stack_is_read_again(tmp_path: Path) -> None:
    own, official, foreign = tmp_path / "own", tmp_path / "official", tmp_path / "foreign"
    write_config(own, find_stack("short-term"), (5, 30))
    assert stack_of(own) == (find_stack("short-term"), (5, 30))
    write_config(official, find_stack("vot2020/shortterm"))
    assert json.loads((official / "config.yaml").read_text())["stack"] == "vot2020/shortterm"
    assert stack_of(official) == (find_stack("vot2020/shortterm"), EAO_INTERVAL)
    foreign.mkdir()
    (foreign / "config.yaml").write_text(
        "registry:\n- ./trackers.ini\nstack: vots2023\n"
    )  # as vot initialize does
    assert stack_of(foreign)[0].official == "vots2023"


def test_workspaces_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a workspace of VOT's toolkit: it has no config"):
        stack_of(tmp_path)
    (tmp_path / "config.yaml").write_text("stack: vot2013\n")
    with pytest.raises(DataError, match="is not one that limpet knows; those are: short-term"):
        stack_of(tmp_path)
    with pytest.raises(OutputError, match="is a workspace already"):
        write_config(tmp_path, find_stack("vots"))
    with pytest.raises(DataError, match="is 30 to 5; expected 0 < LOW < HIGH"):
        write_config(tmp_path / "new", find_stack("short-term"), (30, 5))


def test_trackers_are_added_and_replaced(tmp_path: Path) -> None:
    command = ["/bin/a program", "--weights", "100%.safetensors"]
    add_tracker(tmp_path, TrackerEntry("mine", command))
    add_tracker(tmp_path, TrackerEntry("other", ["/bin/other"], "Another"))
    listed = configparser.ConfigParser()  # as the toolkit reads it
    listed.read(tmp_path / "trackers.ini")
    assert listed.sections() == ["mine", "other"]
    assert shlex.split(listed["mine"]["command"]) == command
    assert (listed["other"]["label"], listed["mine"]["protocol"]) == ("Another", "trax")
    with pytest.raises(
        OutputError, match="lists a tracker mine already; choose another name, or pass overwrite=True"
    ):
        add_tracker(tmp_path, TrackerEntry("mine", ["/bin/new"]))
    add_tracker(tmp_path, TrackerEntry("mine", ["/bin/new"]), overwrite=True)
    assert "/bin/new" in (tmp_path / "trackers.ini").read_text()
    with pytest.raises(DataError, match="expected letters, digits, - and _ only"):
        TrackerEntry("my tracker", ["/bin/new"])


def test_nothing_to_make_sequences_of(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no video with an object"):
        write_sequences(tmp_path, [], False)
