"""A teacher's labels of a folder of clips: its own words but for the first mask, clip by clip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video.clips import make_clip

import limpet.distillation.label_clip as label_clip
from limpet.core.errors import DataError, OutputError
from limpet.core.masks import read_ids, write_mask
from limpet.data import ClipConfig, TrainingClips, training_videos
from limpet.data.footage import find_footage
from limpet.distillation.label_footage import LabelConfig, label_footage
from limpet.tracking.tracker import Tracker

from .labelling import (
    FRAMES,
    Teacher,
    files_of,
    first_mask,
    label,
    labels_of,
    make_frames,
)


def test_labels_are_read_as_any_data_set(place: Path, teacher: Teacher) -> None:
    result = label(place, teacher)
    assert [(c.name, c.frames, c.first_mask, c.dropped, c.confidence) for c in result.clips] == [
        ("cat", FRAMES, "given", 0, 0.9),
        ("dog", FRAMES, "given", 0, 0.9),
    ]
    assert result.skipped == result.notices == ()
    for folder in (result.folder, training_videos(place / "cache", None)):
        assert [(s.name, len(s)) for s in folder.sequences] == [("cat", FRAMES), ("dog", FRAMES)]
        assert folder.skipped == ()
    for number, mask in enumerate(labels_of(place, "cat")):
        assert np.array_equal(mask, np.roll(first_mask(1), number, axis=1))
    clips = TrainingClips(ClipConfig(frames=2, size=33, batch=1, video_prob=(1, 1)), videos=[result.folder])
    assert clips.batch(0).masks[0].any()
    told = json.loads((place / "cache" / "labels.json").read_text())
    assert told["made_with"]["teacher"]["weights_sha256"] == "a" * 64
    assert sum(clip["size"] for clip in told["clips"].values()) == sum(
        len(data) for name, data in files_of(place / "cache").items() if "480p" in name
    )


def test_of_labelled_footage_only_the_first_mask_is_read(place: Path, teacher: Teacher) -> None:
    root = place / "davis"
    for name in ("cat", "dog"):
        (root / "JPEGImages" / "480p").mkdir(parents=True, exist_ok=True)
        (place / "footage" / name).rename(root / "JPEGImages" / "480p" / name)
        folder = root / "Annotations" / "480p" / name
        folder.mkdir(parents=True)
        for number in range(FRAMES):
            write_mask(folder / f"{number:05d}.png", first_mask(1))
    plain = label_footage(teacher, find_footage(f"{root}:all"), None, place / "plain")
    for path in root.glob("Annotations/480p/*/*.png"):
        if path.stem != "00000":
            path.write_bytes(b"garbage")
    garbage = label_footage(teacher, find_footage(f"{root}:all"), None, place / "garbage")
    assert files_of(place / "plain") == files_of(place / "garbage")
    masks = garbage.folder.sequences[0].masks
    assert np.array_equal(read_ids(masks[0]), first_mask(1))
    assert np.array_equal(
        read_ids(masks[5]), np.roll(first_mask(1), 5, axis=1)
    )  # the teacher's, not the file's
    assert plain.clips[0].first_mask == "given"


def test_a_real_tracker_labels_a_video_file(tmp_path: Path, model: Any) -> None:
    for name in ("footage", "masks"):
        (tmp_path / name).mkdir()
    make_clip(tmp_path / "footage" / "run.mp4", 6)
    write_mask(tmp_path / "masks" / "run_mask.png", first_mask(4, 9))
    never = LabelConfig(lost=label_clip.LostRule(confidence=0, frames=100))
    tracker = Tracker(model, precision="fp32")
    result = label(tmp_path, tracker, never)
    assert result.clips[0].frames == 6 and result.clips[0].objects == 2
    assert np.array_equal(labels_of(tmp_path, "run")[0], first_mask(1, 2))  # ids become 1..N


def test_one_bad_clip_does_not_stop_the_others(place: Path, teacher: Teacher) -> None:
    (place / "footage" / "broken.mp4").write_bytes(b"not a video")
    make_frames(place / "footage" / "wide")
    write_mask(place / "masks" / "wide.png", np.ones((10, 20), np.uint8))
    (place / "footage" / "notes.txt").touch()
    write_mask(place / "masks" / "broken.png", first_mask(1))
    result = label(place, teacher)
    assert [clip.name for clip in result.clips] == ["cat", "dog"]
    notes, broken, wide = result.skipped
    assert notes.startswith("notes.txt: ") and broken.startswith("broken: ")
    assert "wide.png is 10x20 but the frames are 48x64 (height x width)" in wide


def test_no_clip_left_is_an_error(place: Path, teacher: Teacher) -> None:
    for name in ("cat", "dog"):
        write_mask(place / "masks" / f"{name}.png", np.ones((10, 20), np.uint8))
    with pytest.raises(
        DataError, match=r"none of the 2 clips could be labelled: cat: .*10x20.*; dog: .*10x20"
    ):
        label(place, teacher)
    with pytest.raises(
        DataError, match=r"no first mask of any of the 2 clips; expected cat.png, cat_mask.png"
    ):
        label_footage(teacher, find_footage(place / "footage"), place / "cache", place / "cache")


def test_clips_that_no_longer_fit_are_left_out(place: Path, teacher: Teacher) -> None:
    size = label(place, teacher).clips[0].size
    result = label_footage(
        teacher,
        find_footage(place / "footage"),
        place / "masks",
        place / "small",
        LabelConfig(max_gb=1.5e-9 * size),
    )
    assert [clip.name for clip in result.clips] == ["cat"]
    assert result.skipped[0].startswith("dog: its labels no longer fit into max_gb=")
    assert result.folder.skipped == () and not (place / "small" / "JPEGImages" / "480p" / "dog").exists()
    more = label_footage(teacher, find_footage(place / "footage"), place / "masks", place / "small")
    assert len(more.clips) == 2  # another bound is no other way of labelling


def test_objects_are_proposed_where_no_mask_is_given(
    place: Path, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def propose(reader: Any, config: Any) -> tuple[int, np.ndarray]:
        if reader.name == "dog":
            raise DataError("nothing stands out")
        return 2, first_mask(1)

    monkeypatch.setattr(label_clip, "propose_opening", propose)
    result = label_footage(teacher, find_footage(place / "footage"), None, place / "cache")
    assert [(c.name, c.first_mask, c.first_frame, c.frames) for c in result.clips] == [
        ("cat", "proposal", 2, 6)
    ]
    assert result.skipped == ("dog: nothing stands out",)
    assert result.notices == ("cat: no first mask; one object proposed in frame 2",)
    with pytest.raises(OutputError, match=r"cat \(first mask changed\)"):
        label(place, teacher)
