"""Which videos and frames of YouTube-VOS's training set are used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import DataError
from limpet.data import ClipConfig, TrainingClips, YoutubeFolder, video_folder

from .conftest import draw_mask, save_pair


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three videos of a moving box: one labelled in every frame, one with a frame too many, one without objects."""
    train = tmp_path / "youtube" / "train"
    for name in ("aa", "bb", "cc"):
        for t in range(0, 20, 5):
            mask = draw_mask(90, 160, [(20, 20 + 3 * t, 70, 60 + 3 * t)])
            save_pair(
                train / "JPEGImages" / name / f"{t:05d}.jpg",
                train / "Annotations" / name / f"{t:05d}.png",
                mask,
            )
    (train / "Annotations/bb/00010.png").unlink()
    one = {"1": {"category": "box", "frames": ["00000", "00005", "00010", "00015"]}}
    videos = {"aa": {"objects": one}, "bb": {"objects": one}, "cc": {"objects": {}}, "dd": {"objects": one}}
    (train / "meta.json").write_text(json.dumps({"videos": videos}))
    return tmp_path / "youtube"


def test_frames_with_a_mask_of_videos_with_an_object(root: Path) -> None:
    folder = YoutubeFolder(root)
    assert [(s.name, [f.stem for f in s.frames]) for s in folder.sequences] == [
        ("aa", ["00000", "00005", "00010", "00015"]),
        ("bb", ["00000", "00005", "00015"]),
    ]
    assert all(f.stem == m.stem for s in folder.sequences for f, m in zip(s.frames, s.masks, strict=True))
    assert folder.skipped == [
        "bb: 1 frames without a mask",
        "cc: meta.json names no object in it",
        "dd: 0 frames with a mask, at least 2 are needed",
    ]


def test_clips_are_made_of_it_and_a_damaged_mask_is_told_when_drawn(root: Path) -> None:
    (root / "train/Annotations/aa/00000.png").write_bytes(b"torn")
    clips = TrainingClips(ClipConfig(frames=2, size=65, batch=2), videos=[YoutubeFolder(root)])
    batch = clips.batch(0)
    assert batch.images.shape == (2, 2, 3, 65, 65) and min(batch.object_counts) >= 1
    for step in range(1, 6):
        clips.batch(step)
    assert any(line.startswith("aa/00000.jpg: ") for line in clips.skipped)


def test_the_layout_is_found_out(root: Path, davis_root: Path) -> None:
    assert isinstance(video_folder(root, "train"), YoutubeFolder)
    assert [sequence.name for sequence in video_folder(davis_root, "fit").sequences] == ["one", "two"]
    with pytest.raises(DataError, match="DAVIS layout is JPEGImages"):
        video_folder(root, "valid")


def test_other_layouts_are_told(root: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"there is no .*train/meta\.json; YouTube-VOS is ROOT/train/JPEGImages"
    ):
        YoutubeFolder(tmp_path)
    (root / "train/meta.json").write_text("[]")
    with pytest.raises(DataError, match="is not the list of YouTube-VOS"):
        YoutubeFolder(root)
    (root / "train/meta.json").write_text(json.dumps({"videos": {"zz": {"objects": {"1": {}}}}}))
    with pytest.raises(DataError, match=r"no usable video in .*; first zz: 0 frames with a mask"):
        YoutubeFolder(root)


def test_no_mask_is_opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limpet.data.folders.Image.open", lambda *_: np.zeros(1))
    assert len(YoutubeFolder(root)) == 2
