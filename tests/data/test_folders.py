from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import DataError
from limpet.data.folders import DavisFolder, StillsFolder, read_mask


def test_stills_are_listed_with_their_kind(stills_root: Path) -> None:
    folder = StillsFolder(stills_root)
    assert [(s.image.stem, s.kind) for s in folder.stills] == [
        ("bsds_c", "regions"),
        ("coco_a", "objects"),
        ("horse_b", "objects"),
    ]
    assert folder.skipped == []


@pytest.mark.parametrize("damage", ["image", "mask", "missing", "colours", "size"])
def test_an_unusable_still_is_skipped_and_named(stills_root: Path, damage: str) -> None:
    image, mask = stills_root / "images" / "coco_a.jpg", stills_root / "masks" / "coco_a.png"
    expected = {
        "image": "unreadable image",
        "mask": "unreadable mask",
        "missing": "no mask coco_a.png",
        "colours": "mask of mode RGB, expected indexed (P) or 8-bit grey (L)",
        "size": "mask is 10x20 but the image is 150x200",
    }[damage]
    if damage == "image":
        image.write_bytes(b"this is no picture")
    elif damage == "mask":
        mask.write_bytes(mask.read_bytes()[:60])
    elif damage == "missing":
        mask.unlink()
    elif damage == "colours":
        Image.new("RGB", (200, 150), "red").save(mask)
    else:
        Image.fromarray(np.ones((10, 20), np.uint8)).save(mask)
    folder = StillsFolder(stills_root)
    assert len(folder) == 2
    assert len(folder.skipped) == 1
    assert folder.skipped[0].startswith("coco_a.jpg: ") and expected in folder.skipped[0]


def test_a_mask_without_objects_is_refused_by_name(stills_root: Path) -> None:
    Image.fromarray(np.zeros((150, 200), np.uint8)).save(stills_root / "masks" / "horse_b.png")
    with pytest.raises(
        DataError, match=r"1 of the masks in .* no object.*: horse_b\.png; label at least one"
    ):
        StillsFolder(stills_root)


def test_an_empty_or_absent_stills_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder; a stills folder has images/ and masks/"):
        StillsFolder(tmp_path / "nowhere")
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match="no usable photos with masks"):
        StillsFolder(tmp_path)


def test_when_everything_is_skipped_the_error_says_why(stills_root: Path) -> None:
    for mask in (stills_root / "masks").iterdir():
        mask.unlink()
    with pytest.raises(DataError, match=r"3 were skipped, first bsds_c\.jpg: no mask bsds_c\.png"):
        StillsFolder(stills_root)


def test_a_split_lists_its_videos_in_its_order(davis_root: Path) -> None:
    (davis_root / "ImageSets" / "other.txt").write_text("two\n\none\n")
    folder = DavisFolder(davis_root, "other")
    assert [s.name for s in folder.sequences] == ["two", "one"]
    assert all(len(s) == 8 == len(s.masks) for s in folder.sequences)
    assert all(f.stem == m.stem for s in folder.sequences for f, m in zip(s.frames, s.masks, strict=True))


def test_a_split_of_frame_paths_is_read_too(davis_root: Path) -> None:
    line = "/JPEGImages/480p/two/{0:05d}.jpg /Annotations/480p/two/{0:05d}.png\n"
    (davis_root / "ImageSets" / "480p").mkdir()
    (davis_root / "ImageSets" / "480p" / "train.txt").write_text("".join(line.format(t) for t in range(8)))
    assert [s.name for s in DavisFolder(davis_root, "480p/train").sequences] == ["two"]


def test_without_a_split_all_videos_are_taken(davis_root: Path) -> None:
    assert [s.name for s in DavisFolder(davis_root, None).sequences] == ["one", "two"]


def test_a_missing_split_names_those_that_exist(davis_root: Path) -> None:
    with pytest.raises(DataError, match=r"no split 'train': .*train\.txt does not exist; choose one of fit"):
        DavisFolder(davis_root, "train")


def test_another_layout_is_refused(tmp_path: Path, davis_root: Path) -> None:
    with pytest.raises(DataError, match="DAVIS layout is JPEGImages/480p"):
        DavisFolder(tmp_path, None)
    (davis_root / "ImageSets" / "fit.txt").write_text("three\n")
    with pytest.raises(DataError, match=r"three is not a folder; the split names this video"):
        DavisFolder(davis_root, "fit")


def test_a_video_without_objects_is_refused_by_name(davis_root: Path) -> None:
    for mask in (davis_root / "Annotations" / "480p" / "two").iterdir():
        Image.fromarray(np.zeros((90, 160), np.uint8)).save(mask)
    with pytest.raises(DataError, match=r"no object.*: two;"):
        DavisFolder(davis_root, "fit")


def test_frames_without_mask_and_short_videos_are_counted(davis_root: Path) -> None:
    masks = davis_root / "Annotations" / "480p"
    (masks / "one" / "00003.png").unlink()
    for t in range(1, 8):
        (masks / "two" / f"{t:05d}.png").unlink()
    folder = DavisFolder(davis_root, "fit")
    assert [(s.name, len(s)) for s in folder.sequences] == [("one", 7)]
    assert folder.skipped == [
        "one: 1 frames without a mask",
        "two: 7 frames without a mask",
        "two: 1 usable frames with a mask, at least 2 are needed",
    ]


def test_255_is_the_object_alone_and_void_among_others(tmp_path: Path) -> None:
    for values, expected in (([0, 255], [0, 1]), ([0, 2, 255], [0, 2, 0])):
        Image.fromarray(np.array([values], np.uint8)).save(tmp_path / "mask.png")
        assert read_mask(tmp_path / "mask.png").tolist() == [expected]


def test_all_takes_every_video_and_is_named_where_no_split_exists(tmp_path: Path) -> None:
    for name in ("one", "two"):
        for folder, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
            target = tmp_path / folder / "480p" / name
            target.mkdir(parents=True)
            pixels = np.full((8, 8), 1, np.uint8)
            Image.fromarray(pixels).save(target / f"00000.{suffix}")
            Image.fromarray(pixels).save(target / f"00001.{suffix}")
    found = DavisFolder(tmp_path, "all")
    assert [sequence.name for sequence in found.sequences] == ["one", "two"]
    with pytest.raises(DataError, match="the split 'all' takes every video"):
        DavisFolder(tmp_path, "train")
