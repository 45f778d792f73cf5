"""How each layout names its splits, and which videos it finds in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import DataError
from limpet.data import training_videos
from limpet.data.layouts import Davis, Mose, PlainFolders, YouTubeVos, names_in
from tests.evaluation.tiny import make_sequence, make_split, moving_box

from .conftest import draw_mask, save_pair


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    for name in ("ant", "bee", "cow"):
        make_sequence(tmp_path, name, moving_box())
    make_split(tmp_path, "dev", ["bee", "", "ant"])
    return tmp_path


@pytest.fixture
def youtube(tmp_path: Path) -> Path:
    """Videos aa and bb, of which cc has no object and dd no folder; a split "valid" without a list."""
    for split, name in (("train", "bb"), ("train", "aa"), ("valid", "zz")):
        (tmp_path / split / "JPEGImages" / name).mkdir(parents=True)
    one = {"1": {"category": "box", "frames": ["00000"]}}
    videos = {"bb": {"objects": one}, "aa": {"objects": one}, "cc": {"objects": {}}, "dd": {"objects": one}}
    (tmp_path / "train" / "meta.json").write_text(json.dumps({"videos": videos}))
    return tmp_path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    for part in ("images", "masks"):
        for name in ("two", "one", ".hidden"):
            (tmp_path / part / name).mkdir(parents=True)
    (tmp_path / "few.txt").write_text("two\n")
    return tmp_path


def names(root: Path, split: str | None, resolution: str = "480p") -> list[str]:
    return [video.name for video in Davis(root, resolution).videos(split)]


def test_each_layout_is_recognised_by_itself_alone(tmp_path: Path) -> None:
    make_sequence(tmp_path / "davis", "ant", moving_box())
    (tmp_path / "youtube" / "train" / "JPEGImages").mkdir(parents=True)
    (tmp_path / "plain" / "images" / "one").mkdir(parents=True)
    (tmp_path / "plain" / "masks").mkdir(parents=True)
    (tmp_path / "stills" / "images").mkdir(parents=True)
    (tmp_path / "stills" / "masks").mkdir(parents=True)
    save_pair(
        tmp_path / "mose/JPEGImages/0b1c/00000.jpg",
        tmp_path / "mose/Annotations/0b1c/00000.png",
        draw_mask(30, 44, [(4, 4, 20, 20)]),
    )
    for kind, name in ((Davis, "davis"), (Mose, "mose"), (YouTubeVos, "youtube"), (PlainFolders, "plain")):
        assert [path.name for path in sorted(tmp_path.iterdir()) if kind.recognises(path)] == [name]


@pytest.mark.parametrize("inside", ["", "train"])
def test_mose_as_it_comes_out_of_its_archive(tmp_path: Path, inside: str) -> None:
    """One split by itself, or beside the others; masks of all frames, names that are hexadecimal, no meta.json."""
    root = tmp_path / inside
    for name in ("0b1c", "a338c8aa"):
        for t in range(3):
            mask = draw_mask(30, 44, [(4, 4 + t, 20, 20 + t), (22, 4, 28, 30)])
            place = root / "Annotations" / name / f"{t:05}.png"
            save_pair(root / "JPEGImages" / name / f"{t:05}.jpg", place, mask)
    split = inside or "all"
    videos = training_videos(tmp_path, split)
    assert [(each.name, len(each)) for each in videos] == [("0b1c", 3), ("a338c8aa", 3)]
    assert np.unique(videos.sequences[0].mask(2)).tolist() == [0, 1, 2]
    if not inside:
        assert [each.name for each in training_videos(tmp_path, "0b1c")] == ["0b1c"]
        with pytest.raises(DataError, match=r"there is no split 'valid' in .*: all; the name of one video"):
            training_videos(tmp_path, "valid")


def test_the_validation_set_of_mose_has_one_mask_per_video_and_cannot_teach(tmp_path: Path) -> None:
    folder = tmp_path / "valid"
    for t in range(3):
        mask = draw_mask(30, 44, [(4, 4 + t, 20, 20 + t)])
        place = (folder if t == 0 else tmp_path / "elsewhere") / "Annotations/0b1c" / f"{t:05}.png"
        save_pair(folder / "JPEGImages/0b1c" / f"{t:05}.jpg", place, mask)
    with pytest.raises(DataError, match=r"no usable videos with masks.*0b1c"):
        training_videos(tmp_path, "valid")


def test_a_list_keeps_its_order(davis: Path) -> None:
    assert names(davis, "dev") == ["bee", "ant"]
    first = Davis(davis).videos("dev")[0]
    assert first.frames == davis / "JPEGImages/480p/bee" and first.masks == davis / "Annotations/480p/bee"


def test_all_videos_need_no_list(davis: Path) -> None:
    assert names(davis, "all") == names(davis, None) == ["ant", "bee", "cow"]


def test_one_video_by_its_name(davis: Path) -> None:
    assert names(davis, "cow") == ["cow"]
    with pytest.raises(DataError, match="no split ''"):
        names(davis, "")


def test_lists_in_sub_folders(davis: Path) -> None:
    make_split(davis, "2016/val", ["ant"])
    make_split(davis, "2017/val", ["bee", "cow"])
    make_split(davis, "2017/train", ["ant"])
    assert names(davis, "2016/val") == ["ant"]
    assert names(davis, "2017/val.txt") == ["bee", "cow"]
    assert names(davis, "train") == ["ant"]
    assert [video.one_object for video in Davis(davis).videos("2016/val")] == [True]
    assert [video.one_object for video in Davis(davis).videos("train")] == [False]
    with pytest.raises(DataError, match=r"one of several splits .* choose one of 2016/val, 2017/val"):
        names(davis, "val")


def test_the_lists_of_davis_2016_hold_paths_by_resolution(davis: Path) -> None:
    lines = [f"/JPEGImages/480p/cow/{i:05}.jpg /Annotations/480p/cow/{i:05}.png" for i in range(6)]
    make_split(davis, "480p/val", lines)
    make_split(davis, "1080p/val", [line.replace("480p", "1080p") for line in lines])
    assert names(davis, "val") == ["cow"]


def test_annotations_of_480p_serve_full_resolution(davis: Path) -> None:
    (davis / "JPEGImages/Full-Resolution/bee").mkdir(parents=True)
    (video,) = Davis(davis, "Full-Resolution").videos("bee")
    assert video.frames == davis / "JPEGImages/Full-Resolution/bee"
    assert video.masks == davis / "Annotations/480p/bee"


def test_a_missing_resolution_names_those_that_are_there(davis: Path) -> None:
    with pytest.raises(DataError, match=r"there is no folder .*1080p; resolutions there: 480p"):
        names(davis, "dev", "1080p")


def test_an_unknown_split_lists_the_known_ones(davis: Path) -> None:
    make_split(davis, "2017/val", ["ant"])
    with pytest.raises(
        DataError, match=r"no split 'test' .* the splits there are: 2017/val, dev, all; the name of one video"
    ):
        names(davis, "test")


def test_an_empty_list_is_refused(davis: Path) -> None:
    make_split(davis, "none", [""])
    with pytest.raises(DataError, match=r"none\.txt names no video; write one name per line"):
        names(davis, "none")


def test_names_come_once(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("b\n\na b\nb\n/JPEGImages/480p/c/0.jpg\n")
    assert names_in(tmp_path / "list.txt") == ["b", "a", "c"]


def test_youtube_vos_takes_the_videos_of_its_list(youtube: Path) -> None:
    videos = YouTubeVos(youtube).videos("train")
    assert [(video.name, video.unusable) for video in videos] == [
        ("aa", ""),
        ("bb", ""),
        ("cc", "meta.json names no object in it"),
        ("dd", ""),
    ]
    assert videos[0].frames == youtube / "train/JPEGImages/aa"
    assert videos[0].masks == youtube / "train/Annotations/aa"


def test_without_a_list_every_folder_is_a_video(youtube: Path) -> None:
    assert [video.name for video in YouTubeVos(youtube).videos("valid")] == ["zz"]


def test_a_split_of_youtube_vos_must_be_named_where_there_are_several(youtube: Path) -> None:
    dataset = YouTubeVos(youtube)
    with pytest.raises(DataError, match=r"no split of .* is named; choose one of: train, valid"):
        dataset.videos(None)
    with pytest.raises(DataError, match=r"no split 'test' in .*; the splits there are: train, valid"):
        dataset.videos("test")
    (youtube / "valid" / "JPEGImages").rename(youtube / "valid" / "frames")
    assert [video.name for video in dataset.videos(None)] == ["aa", "bb", "cc", "dd"]


@pytest.mark.parametrize("content", ["[]", "{}", '{"videos": [1]}', '{"videos": {"aa": 3}}', "{torn"])
def test_a_damaged_list_is_told(youtube: Path, content: str) -> None:
    (youtube / "train" / "meta.json").write_text(content)
    with pytest.raises(DataError, match=r"meta\.json is not the list of YouTube-VOS .* download it again"):
        YouTubeVos(youtube).videos("train")


def test_plain_folders(plain: Path) -> None:
    dataset = PlainFolders(plain)
    assert dataset.splits() == ["few", "all"]
    assert [video.name for video in dataset.videos(None)] == ["one", "two"]
    assert [video.name for video in dataset.videos("few")] == ["two"]
    (video,) = dataset.videos("one")
    assert (video.frames, video.masks) == (plain / "images" / "one", plain / "masks" / "one")
    with pytest.raises(DataError, match=r"no split 'val' in .*; the splits there are: few, all"):
        dataset.videos("val")
