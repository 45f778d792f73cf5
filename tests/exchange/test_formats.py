"""The table of formats, what is recognised, and what is refused before anything is written."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import MaskError, OutputError
from limpet.core.masks import write_mask
from limpet.exchange.formats import FORMATS, read_masks, write_masks
from limpet.exchange.mask_sequence import mask_at, small_ids

from .sequences import SIZE, assert_same, clip_of, crowd, hard_clip, hard_labels


@pytest.mark.parametrize("name", FORMATS)
def test_an_earlier_output_is_not_replaced(name: str, tmp_path: Path) -> None:
    row = FORMATS[name]
    out = tmp_path / f"out{row.suffixes[0] if row.suffixes else ''}"
    if row.suffixes:
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "mine").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        write_masks(hard_clip(), out, name)
    assert (out if out.is_file() else out / "mine").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1, "nothing temporary is left"


@pytest.mark.parametrize("name", FORMATS)
def test_an_assumed_frame_rate_is_told_where_it_is_written(name: str, tmp_path: Path) -> None:
    if name == "exr":
        pytest.importorskip("OpenEXR")
    (tmp_path / "masks").mkdir()
    for frame in hard_clip():
        write_mask(tmp_path / "masks" / f"{frame.index:05d}.png", frame.labels.astype(np.uint8))
    suffix = FORMATS[name].suffixes[0] if FORMATS[name].suffixes else ""
    masks = read_masks(tmp_path / "masks")
    write_masks(masks, tmp_path / f"assumed{suffix}", name)
    assert any("24 per second" in notice for notice in masks.notices) == FORMATS[name].times
    stated = read_masks(tmp_path / "masks").at_rate(Fraction(10))
    write_masks(stated, tmp_path / f"stated{suffix}", name)
    assert not any("24 per second" in notice for notice in stated.notices)
    back = read_masks(tmp_path / f"stated{suffix}")
    assert back.timed == FORMATS[name].times
    assert [frame.time for frame in back] == pytest.approx(
        [frame.index / (10 if back.timed else 24) for frame in back], abs=1e-3
    )


def test_a_stated_frame_rate_is_kept() -> None:
    with pytest.raises(MaskError, match="states when its frames are shown"):
        hard_clip().at_rate(Fraction(10))


def test_unknown_names_and_endings(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match="no format 'voc'; the formats are coco, youtube-vis"):
        write_masks(hard_clip(), tmp_path / "a.json", "voc")
    with pytest.raises(OutputError, match=r"another ending than \.json"):
        write_masks(hard_clip(), tmp_path / "a.zip", "coco")
    with pytest.raises(MaskError, match="does not exist"):
        read_masks(tmp_path / "nothing.json")
    (tmp_path / "b.json").write_text('{"what": 1}')
    with pytest.raises(MaskError, match="of none of the formats that can be read: coco"):
        read_masks(tmp_path / "b.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [('{"videos": [', "not valid JSON"), ('{"videos": [' + "[" * 200_000, "nested too deeply")],
)
def test_json_that_is_none(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(MaskError, match=words):
        read_masks(tmp_path / "a.json")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.json").open("wb") as file:
        os.truncate(file.fileno(), 2 << 30)  # sparse: it takes no room
    with pytest.raises(MaskError, match="has 2147483648 bytes; at most"):
        read_masks(tmp_path / "a.json")


def test_a_folder_of_masks(tmp_path: Path) -> None:
    for index, labels in hard_labels().items():
        write_mask(tmp_path / f"{index + 2:05d}.png", labels)
    back = read_masks(tmp_path)
    assert list(back.names) == [1, 3, 7, 9, 200]
    assert [frame.index for frame in back] == [2, 3, 4, 5, 6, 7]
    write_mask(tmp_path / "00009.png", np.ones((3, 4), np.uint8))
    with pytest.raises(MaskError, match=r"00009\.png is 3x4, but the other masks are 24x40"):
        read_masks(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MaskError, match="holds no masks"):
        read_masks(tmp_path / "empty")


def test_the_mask_of_one_frame() -> None:
    assert np.array_equal(mask_at(hard_clip(), 4), hard_labels()[4])
    with pytest.raises(MaskError, match=r"no object in frame 3; it has masks of frames 0, 1, 2, 4, 5"):
        mask_at(hard_clip(), 3)
    with pytest.raises(MaskError, match="it has no mask at all"):
        mask_at(clip_of({0: np.zeros(SIZE, np.uint8)}, {}), 0)


def test_ids_that_limpet_cannot_have_are_numbered_again() -> None:
    labels = np.zeros(SIZE, np.uint16)
    labels[2, 3], labels[4, 5], labels[6, 7] = 2, 1001, 65535
    masks = clip_of({0: labels}, {2: "a", 1001: "b", 65535: "c"})
    small = small_ids(masks)
    assert dict(small.names) == {2: "a", 1: "b", 3: "c"}
    found = next(iter(small)).labels
    assert (found.dtype, found[2, 3], found[4, 5], found[6, 7]) == (np.uint8, 2, 1, 3)
    assert masks.notices == ["ids above 255 were numbered again: 1001 became 1, 65535 became 3"]
    with pytest.raises(MaskError, match="has 300 objects, but 255 is the limit"):
        small_ids(crowd())
    assert_same(small_ids(hard_clip()), hard_clip())


def test_names_of_objects() -> None:
    assert hard_clip().renamed({3: "new"}).names[3] == "new"
    with pytest.raises(MaskError, match="no object 4 to be named; the objects are 1, 3"):
        hard_clip().renamed({4: "new"})
