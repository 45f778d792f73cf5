"""SA-V: every fourth frame."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from limpet.core.errors import MaskError
from limpet.exchange.formats import read_masks, write_masks

from .sequences import clip_of, hard_clip, hard_labels


def test_as_the_format_says(tmp_path: Path) -> None:
    masks = hard_clip()
    write_masks(masks, tmp_path / "a.json", "sa-v")
    content = json.loads((tmp_path / "a.json").read_text())
    assert (len(content["masklet"]), len(content["masklet"][0]), content["video_frame_count"]) == (2, 6, 6)
    assert content["masklet"][0][0]["size"] == [24, 40]
    assert masks.notices == ["SA-V has masks in every 4th frame only: those of 4 other frames were left out"]


def test_frames_without_masks_are_empty(tmp_path: Path) -> None:
    write_masks(clip_of({8: hard_labels()[0]}, {1: "", 3: "", 7: ""}), tmp_path / "a.json", "sa-v")
    assert [(f.index, bool(f.labels.any())) for f in read_masks(tmp_path / "a.json")] == [
        (0, False),
        (4, False),
        (8, True),
    ]


def test_files_of_the_data_set_have_no_ids(tmp_path: Path) -> None:
    rle = [{"size": [2, 3], "counts": [k, 1, 5 - k]} for k in range(2)]
    (tmp_path / "a.json").write_text(
        json.dumps({"video_id": "sav_1", "video_height": 2.0, "video_width": 3.0, "masklet": [rle, rle]})
    )
    back = read_masks(tmp_path / "a.json")
    assert (back.name, list(back.names), back.numbered, back.frame_count) == ("sav_1", [1, 2], True, 5)
    assert [frame.labels.ravel("F").tolist() for frame in back] == [[1, 2, 0, 0, 0, 0]] * 2
    (tmp_path / "a.json").write_text(
        json.dumps({"video_height": 2, "video_width": 3, "masklet": [rle, rle[:1]]})
    )
    with pytest.raises(MaskError, match="different numbers of objects"):
        read_masks(tmp_path / "a.json")
