"""Two runs are the same when everything that their results depend on is, and a difference is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.clips import write_images
from networks import frames, mask_of, small_tracker
from PIL import Image

from limpet.core.errors import OutputError
from limpet.tracking.run_settings import (
    RunSettings,
    can_read_again,
    check_same,
    differences,
    settings_of,
)
from limpet.tracking.tracker import Tracker
from limpet.video.open import open_video

CHANGES: dict[str, dict[str, Any]] = {
    "masks_sha256": {"masks": {0: mask_of(9)}},
    "overlay": {"overlay": True},
    "max_frames": {"max_frames": 3},
    "max_seconds": {"max_seconds": 1.0},
    "memory": {"tracker": small_tracker(gap=2)},
    "network_size": {"tracker": small_tracker(max_size=48)},
}


@pytest.fixture(scope="module")
def tracker() -> Tracker:
    return small_tracker()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    return write_images(tmp_path / "shots", frames(3), "{:03d}.png")


def settings(shots: Path, tracker: Tracker, **more: Any) -> RunSettings:
    call = {"masks": {0: mask_of(7)}, "tracker": tracker, "overlay": False} | more
    with open_video(shots) as reader:
        return settings_of(reader, **call)


def test_the_same_call_has_the_same_settings_wherever_the_video_lies(tracker: Tracker, shots: Path) -> None:
    before = settings(shots, tracker)
    moved = shots.rename(shots.parent / "elsewhere")
    after = settings(moved, tracker)
    assert before.video_fingerprint == after.video_fingerprint is not None
    assert before.as_dict() | {"source": "elsewhere"} == after.as_dict()


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_found_and_named(tracker: Tracker, shots: Path, tmp_path: Path, name: str) -> None:
    was = settings(shots, tracker).as_dict()
    change = dict(CHANGES[name])
    now = settings(shots, change.pop("tracker", tracker), **change).as_dict()
    check_same(was, was, tmp_path)
    words = {"masks_sha256": "another mask for frame 0"}.get(name, f"{name} ")
    with pytest.raises(OutputError, match=f"holds a run with other settings: .*{words}") as refused:
        check_same(was, now, tmp_path)
    assert refused.value.command_line_message.endswith("pass --overwrite instead of --resume")


def test_the_name_of_a_video_is_no_setting(tracker: Tracker, shots: Path, tmp_path: Path) -> None:
    was = settings(shots, tracker).as_dict()
    check_same(was | {"source": "another name"}, was, tmp_path)
    with pytest.raises(OutputError, match="another video, or one that was changed"):
        check_same(was | {"source": "another name", "video_fingerprint": "0" * 64}, was, tmp_path)


def test_an_image_that_changed_makes_another_video(tracker: Tracker, shots: Path) -> None:
    before = settings(shots, tracker)
    Image.fromarray(np.zeros((65, 97, 3), np.uint8)).save(shots / "001.png")
    assert settings(shots, tracker).video_fingerprint != before.video_fingerprint


def test_settings_survive_json_and_hold_the_facts_of_the_tracker(tracker: Tracker, shots: Path) -> None:
    written = settings(shots, tracker, max_frames=2).as_dict()
    assert json.loads(json.dumps(written)) == written
    facts = tracker.facts((65, 97)).as_dict()
    assert {key: written[key] for key in facts} == facts and "tracker" not in written


def test_runs_of_earlier_versions_have_settings_of_other_names(
    tracker: Tracker, shots: Path, tmp_path: Path
) -> None:
    now = settings(shots, tracker).as_dict()
    was = {("memory_most" if key == "memory_max_frames" else key): value for key, value in now.items()}
    check_same(was, now, tmp_path)


def test_long_values_are_cut_in_messages() -> None:
    assert differences({"a": 1, "b": 2}, {"a": 1, "b": 3}) == "b 3 instead of 2"
    assert differences({"a": "x" * 50}, {"a": "y"}) == f"a y instead of {'x' * 39}…"


def test_files_can_be_read_again(shots: Path) -> None:
    with open_video(shots) as reader:
        assert can_read_again(reader)
