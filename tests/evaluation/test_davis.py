from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import DataError
from limpet.evaluation.davis import load_davis, read_ids

from .tiny import SIZE, box, make_sequence, make_split, moving_box


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("ant", "bee", "cow"):
        make_sequence(tmp_path, name, moving_box())
    make_split(tmp_path, "dev", ["bee", "", "ant"])
    return tmp_path


def names(root: Path, split: str, resolution: str = "480p") -> list[str]:
    return [sequence.name for sequence in load_davis(root, split, resolution)]


def test_a_split_keeps_the_order_of_its_list(root: Path) -> None:
    dataset = load_davis(root, "dev")
    assert [sequence.name for sequence in dataset] == ["bee", "ant"]
    bee = dataset.sequences[0]
    assert len(dataset) == 2 and len(bee) == 6
    assert [path.name for path in bee.frames] == [f"{index:05}.jpg" for index in range(6)]
    assert bee.frame(0).shape == (*SIZE, 3) and bee.frame(0).dtype == np.uint8
    assert np.array_equal(bee.mask(2), moving_box()[2])


def test_all_needs_no_list(root: Path) -> None:
    assert names(root, "all") == ["ant", "bee", "cow"]


def test_one_sequence_by_its_name(root: Path) -> None:
    assert names(root, "cow") == ["cow"]
    with pytest.raises(DataError, match="no split ''"):
        load_davis(root, "")


def test_lists_in_sub_folders(root: Path) -> None:
    make_split(root, "2016/val", ["ant"])
    make_split(root, "2017/val", ["bee", "cow"])
    make_split(root, "2017/train", ["ant"])
    assert names(root, "2016/val") == ["ant"]
    assert names(root, "2017/val.txt") == ["bee", "cow"]
    assert names(root, "train") == ["ant"]
    assert [s.one_object for s in load_davis(root, "2016/val")] == [True]
    assert [s.one_object for s in load_davis(root, "train")] == [False]
    with pytest.raises(DataError, match=r"one of several splits .* choose one of 2016/val, 2017/val"):
        load_davis(root, "val")


def test_the_lists_of_davis_2016_hold_paths_by_resolution(root: Path) -> None:
    lines = [f"/JPEGImages/480p/cow/{i:05}.jpg /Annotations/480p/cow/{i:05}.png" for i in range(6)]
    make_split(root, "480p/val", lines)
    make_split(root, "1080p/val", [line.replace("480p", "1080p") for line in lines])
    assert names(root, "val") == ["cow"]


def test_annotations_of_480p_serve_full_resolution(root: Path) -> None:
    full = root / "JPEGImages/Full-Resolution/bee"
    full.mkdir(parents=True)
    for index in range(6):
        Image.new("RGB", (80, 48)).save(full / f"{index:05}.jpg")
    make_split(root, "one", ["bee"])
    (bee,) = load_davis(root, "one", "Full-Resolution")
    assert bee.frame(0).shape == (48, 80, 3) and bee.mask(0).shape == SIZE


def test_missing_root_names_what_was_expected(tmp_path: Path, root: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is not a DAVIS folder: expected .*JPEGImages.480p"):
        load_davis(tmp_path / "nowhere", "val")
    with pytest.raises(DataError, match="resolutions there: 480p"):
        load_davis(root, "dev", "1080p")


def test_unknown_split_lists_the_known_ones(root: Path) -> None:
    make_split(root, "2017/val", ["ant"])
    with pytest.raises(DataError, match=r"no split 'test' .* the splits there are: 2017/val, dev, all"):
        load_davis(root, "test")


def test_empty_split(root: Path) -> None:
    make_split(root, "none", [""])
    with pytest.raises(DataError, match=r"none\.txt names no sequence"):
        load_davis(root, "none")


def test_sequences_that_lack_something_are_named(root: Path) -> None:
    make_split(root, "ghost", ["dodo"])
    with pytest.raises(DataError, match="sequence 'dodo' is listed, but has no frames"):
        load_davis(root, "ghost")
    for index in (1, 4):
        (root / f"Annotations/480p/bee/{index:05}.png").unlink()
    with pytest.raises(
        DataError, match=r"'bee' lacks the annotations of 2 of 6 frames .*: 00001.png, 00004.png"
    ):
        load_davis(root, "dev")
    (root / "Annotations/480p/bee").rename(root / "Annotations/480p/elsewhere")
    with pytest.raises(DataError, match="sequence 'bee' has no annotations"):
        load_davis(root, "dev")


def test_too_few_frames(root: Path) -> None:
    make_sequence(root, "short", moving_box(2))
    make_split(root, "short", ["short"])
    with pytest.raises(DataError, match=r"'short' has 2 frames .* at least 3"):
        load_davis(root, "short")


def test_unreadable_frame_is_named(root: Path) -> None:
    (root / "JPEGImages/480p/bee/00001.jpg").write_bytes(b"not an image")
    bee = load_davis(root, "dev").sequences[0]
    with pytest.raises(DataError, match=r"cannot read the frame .*bee.00001\.jpg"):
        bee.frame(1)


def test_thinned(root: Path) -> None:
    bee = load_davis(root, "dev").sequences[0]
    assert [path.stem for path in bee.thinned(2).frames] == ["00000", "00002", "00004"]
    part = bee.thinned(1, 4)
    assert [path.stem for path in part.annotations] == ["00000", "00001", "00002", "00003"]
    with pytest.raises(DataError, match="stride is 0"):
        bee.thinned(0)


def test_ids_are_read_as_stored_and_colours_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    grey = box(2, 3, number=255)
    Image.fromarray(grey).save(path)
    assert np.array_equal(read_ids(path), grey)
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(path)
    assert np.array_equal(read_ids(path), grey)
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(path)
    assert not read_ids(path).any()
    Image.fromarray(np.stack([grey, grey, 255 - grey], axis=-1)).save(path)
    with pytest.raises(DataError, match="is a RGB image; expected an indexed or grey"):
        read_ids(path)
    with pytest.raises(DataError, match="cannot read the mask"):
        read_ids(tmp_path / "gone.png")
