"""Which videos and frames training takes and evaluation demands, whatever the layout."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import DataError, MaskError
from limpet.data import ClipConfig, TrainingClips, evaluation_videos, training_videos
from limpet.data.datasets import DATASETS, find_layout, open_dataset
from tests.evaluation.tiny import SIZE, make_sequence, make_split, moving_box

from .conftest import draw_mask, save_pair


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """DAVIS layout for evaluation: three sequences of six frames."""
    for name in ("ant", "bee", "cow"):
        make_sequence(tmp_path / "eval", name, moving_box())
    make_split(tmp_path / "eval", "dev", ["bee", "", "ant"])
    return tmp_path / "eval"


@pytest.fixture
def youtube(tmp_path: Path) -> Path:
    """Three videos of a moving box: one labelled in every frame, one with a frame too many, one without objects."""
    train = tmp_path / "youtube" / "train"
    for name in ("aa", "bb", "cc"):
        for t in range(0, 20, 5):
            mask = draw_mask(90, 160, [(20, 20 + 3 * t, 70, 60 + 3 * t)])
            file = f"{name}/{t:05d}"
            save_pair(train / "JPEGImages" / f"{file}.jpg", train / "Annotations" / f"{file}.png", mask)
    (train / "Annotations/bb/00010.png").unlink()
    one = {"1": {"category": "box", "frames": ["00000", "00005", "00010", "00015"]}}
    videos = {"aa": {"objects": one}, "bb": {"objects": one}, "cc": {"objects": {}}, "dd": {"objects": one}}
    (train / "meta.json").write_text(json.dumps({"videos": videos}))
    return tmp_path / "youtube"


def test_a_folder_that_is_no_data_set_is_told_what_is_expected(tmp_path: Path) -> None:
    assert find_layout(tmp_path) is None
    with pytest.raises(
        DataError, match="is not laid out like a data set; expected one of: DAVIS: ROOT"
    ) as error:
        open_dataset(tmp_path)
    assert all(kind.layout in str(error.value) for kind in DATASETS.values())
    with pytest.raises(DataError, match="gone is not a folder; expected the folder of a data set"):
        open_dataset(tmp_path / "gone")


def test_training_keeps_the_order_of_a_split(davis_root: Path) -> None:
    (davis_root / "ImageSets" / "other.txt").write_text("two\n\none\n")
    videos = training_videos(davis_root, "other")
    assert [s.name for s in videos] == ["two", "one"] and (videos.root, videos.split) == (davis_root, "other")
    assert all(len(s) == 8 == len(s.masks) for s in videos)
    assert all(f.stem == m.stem for s in videos for f, m in zip(s.frames, s.masks, strict=True))
    assert videos.skipped == ()


def test_without_a_split_all_videos_are_taken(davis_root: Path) -> None:
    assert [s.name for s in training_videos(davis_root)] == ["one", "two"]


def test_a_missing_split_names_those_that_exist(davis_root: Path) -> None:
    with pytest.raises(DataError, match=r"no split 'train' in .*; the splits there are: fit, all"):
        training_videos(davis_root, "train")


def test_a_listed_video_that_is_not_there_is_skipped_and_named(davis_root: Path) -> None:
    (davis_root / "ImageSets" / "fit.txt").write_text("three\none\n")
    videos = training_videos(davis_root, "fit")
    assert [s.name for s in videos] == ["one"]
    gone = davis_root / "JPEGImages" / "480p" / "three"
    assert videos.skipped == (f"three: the split names it, but there is no folder {gone}",)
    (davis_root / "ImageSets" / "fit.txt").write_text("three\n")
    with pytest.raises(
        DataError, match=r"no usable videos with masks in .*; 1 were skipped, first three: .*DAVIS"
    ):
        training_videos(davis_root, "fit")


def test_a_video_without_objects_is_refused_by_name(davis_root: Path) -> None:
    for mask in (davis_root / "Annotations" / "480p" / "two").iterdir():
        Image.fromarray(np.zeros((90, 160), np.uint8)).save(mask)
    with pytest.raises(DataError, match=r"no object.*: two;"):
        training_videos(davis_root, "fit")


def test_frames_without_a_mask_and_short_videos_are_counted(davis_root: Path) -> None:
    masks = davis_root / "Annotations" / "480p"
    (masks / "one" / "00003.png").unlink()
    for t in range(1, 8):
        (masks / "two" / f"{t:05d}.png").unlink()
    videos = training_videos(davis_root, "fit")
    assert [(s.name, len(s)) for s in videos] == [("one", 7)]
    assert videos.skipped == (
        "one: 1 frames without a mask",
        "two: 7 frames without a mask",
        "two: 1 usable frames with a mask, at least 2 are needed",
    )


def test_damaged_files_are_skipped_and_named(davis_root: Path) -> None:
    frames, masks = davis_root / "JPEGImages/480p/one", davis_root / "Annotations/480p/one"
    (frames / "00001.jpg").write_bytes(b"torn")
    (masks / "00002.png").write_bytes(b"torn")
    Image.new("RGB", (160, 90), "red").save(masks / "00003.png")
    Image.fromarray(np.ones((9, 16), np.uint8)).save(masks / "00004.png")
    for path in (davis_root / "JPEGImages/480p/two").iterdir():
        path.unlink()
    videos = training_videos(davis_root, "fit")
    assert [(s.name, len(s)) for s in videos] == [("one", 4)]
    expected = (
        "one/00001.jpg: unreadable image",
        "one/00002.jpg: unusable mask (mask ",
        "one/00003.jpg: unusable mask (mask ",
        "one/00004.jpg: mask is 9x16 but the image is 90x160",
        "two: the folder ",
    )
    assert len(videos.skipped) == len(expected)
    assert all(line.startswith(text) for line, text in zip(videos.skipped, expected, strict=True))
    assert "has colours (mode RGB)" in videos.skipped[2] and "contains no images" in videos.skipped[4]


def test_youtube_vos_gives_frames_with_a_mask_of_videos_with_an_object(youtube: Path) -> None:
    videos = training_videos(youtube, "train")
    assert [(s.name, [f.stem for f in s.frames]) for s in videos] == [
        ("aa", ["00000", "00005", "00010", "00015"]),
        ("bb", ["00000", "00005", "00015"]),
    ]
    assert all(f.stem == m.stem for s in videos for f, m in zip(s.frames, s.masks, strict=True))
    gone = youtube / "train" / "JPEGImages" / "dd"
    assert videos.skipped == (
        "bb: 1 frames without a mask",
        "cc: meta.json names no object in it",
        f"dd: the split names it, but there is no folder {gone}",
    )


def test_no_file_of_youtube_vos_is_opened(youtube: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr("limpet.data.datasets.open_image", refuse)
    assert len(training_videos(youtube, "train")) == 2


def test_clips_are_made_of_it_and_a_damaged_mask_is_told_when_drawn(youtube: Path) -> None:
    (youtube / "train/Annotations/aa/00000.png").write_bytes(b"torn")
    config = ClipConfig(frames=2, size=65, batch=2)
    clips = TrainingClips(config, videos=[training_videos(youtube, "train")])
    batch = clips.batch(0)
    assert batch.images.shape == (2, 2, 3, 65, 65) and min(batch.object_counts) >= 1
    for step in range(1, 6):
        clips.batch(step)
    assert any(line.startswith("aa/00000.jpg: ") for line in clips.skipped)


def test_one_video_in_every_layout_is_the_same_to_training_and_evaluation(
    davis_root: Path, tmp_path: Path
) -> None:
    frames, masks = davis_root / "JPEGImages" / "480p", davis_root / "Annotations" / "480p"
    shutil.copytree(frames, tmp_path / "youtube" / "valid" / "JPEGImages")
    shutil.copytree(masks, tmp_path / "youtube" / "valid" / "Annotations")
    shutil.copytree(frames, tmp_path / "plain" / "images")
    shutil.copytree(masks, tmp_path / "plain" / "masks")
    splits = [(davis_root, "all"), (tmp_path / "youtube", "valid"), (tmp_path / "plain", "all")]
    for read in (training_videos, evaluation_videos):
        found = [read(root, split) for root, split in splits]
        assert [[(s.name, len(s)) for s in videos] for videos in found] == [[("one", 8), ("two", 8)]] * 3
        for videos in found[1:]:
            assert np.array_equal(videos.sequences[1].mask(3), found[0].sequences[1].mask(3))
            assert np.array_equal(videos.sequences[1].frame(3), found[0].sequences[1].frame(3))


def test_evaluation_keeps_the_order_of_a_split(root: Path) -> None:
    videos = evaluation_videos(root, "dev")
    assert [sequence.name for sequence in videos] == ["bee", "ant"]
    bee = videos.sequences[0]
    assert len(videos) == 2 and len(bee) == 6
    assert [path.name for path in bee.frames] == [f"{index:05}.jpg" for index in range(6)]
    assert bee.frame(0).shape == (*SIZE, 3) and bee.frame(0).dtype == np.uint8
    assert np.array_equal(bee.mask(2), moving_box()[2])


def test_full_resolution_with_annotations_of_480p(root: Path) -> None:
    full = root / "JPEGImages/Full-Resolution/bee"
    full.mkdir(parents=True)
    for index in range(6):
        Image.new("RGB", (80, 48)).save(full / f"{index:05}.jpg")
    (bee,) = evaluation_videos(root, "bee", "Full-Resolution")
    assert bee.frame(0).shape == (48, 80, 3) and bee.mask(0).shape == SIZE


def test_evaluation_names_what_a_sequence_lacks(root: Path) -> None:
    make_split(root, "ghost", ["dodo"])
    with pytest.raises(DataError, match="sequence 'dodo' is listed, but has no frames"):
        evaluation_videos(root, "ghost")
    for index in (1, 4):
        (root / f"Annotations/480p/bee/{index:05}.png").unlink()
    with pytest.raises(
        DataError, match=r"'bee' lacks the annotations of 2 of 6 frames .*: 00001.png, 00004.png"
    ):
        evaluation_videos(root, "dev")
    (root / "Annotations/480p/bee").rename(root / "Annotations/480p/elsewhere")
    with pytest.raises(DataError, match="sequence 'bee' has no annotations"):
        evaluation_videos(root, "dev")


def test_too_few_frames_to_score(root: Path) -> None:
    make_sequence(root, "short", moving_box(2))
    with pytest.raises(DataError, match=r"'short' has 2 frames .* at least 3"):
        evaluation_videos(root, "short")


def test_unreadable_files_are_named_when_they_are_read(root: Path) -> None:
    (root / "JPEGImages/480p/bee/00001.jpg").write_bytes(b"not an image")
    (root / "Annotations/480p/bee/00002.png").write_bytes(b"not an image")
    bee = evaluation_videos(root, "dev").sequences[0]
    with pytest.raises(DataError, match=r"cannot read the frame .*bee.00001\.jpg"):
        bee.frame(1)
    with pytest.raises(MaskError, match=r"mask .*bee.00002\.png cannot be read as an image"):
        bee.mask(2)


def test_thinned(root: Path) -> None:
    bee = evaluation_videos(root, "dev").sequences[0]
    assert [path.stem for path in bee.thinned(2).frames] == ["00000", "00002", "00004"]
    part = bee.thinned(1, 4)
    assert [path.stem for path in part.masks] == ["00000", "00001", "00002", "00003"]
    with pytest.raises(DataError, match="stride is 0"):
        bee.thinned(0)
