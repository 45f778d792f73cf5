"""CVAT for video: there and back, as CVAT writes it, and with what strangers put into XML."""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from limpet.core.errors import MaskError
from limpet.exchange.formats import read_masks, write_masks
from limpet.exchange.mask_sequence import MaskSequence

from .sequences import HARD_NAMES, TIMES, assert_same, clip_of, crowd, hard_clip, hard_labels

SEEN = {i: name for i, name in HARD_NAMES.items() if i != 12}


def seen_clip() -> MaskSequence:
    return clip_of(hard_labels(), SEEN, len(TIMES))


@pytest.mark.parametrize("name", ["a.xml", "a.zip"])
def test_there_and_back(name: str, tmp_path: Path) -> None:
    masks = hard_clip()
    write_masks(masks, tmp_path / name, "cvat-video")
    assert masks.notices == ["object 12 is visible in no frame, so that CVAT gets no track of it"]
    back = read_masks(tmp_path / name)
    assert_same(seen_clip(), back)
    assert (back.name, back.frame_count, back.frame_rate, back.notices) == ("clip.mp4", 6, 25, [])
    write_masks(crowd(), tmp_path / name, "cvat-video", overwrite=True)
    assert_same(crowd(), read_masks(tmp_path / name))


def test_as_the_format_says(tmp_path: Path) -> None:
    write_masks(hard_clip(), tmp_path / "a.xml", "cvat-video")
    root = ElementTree.parse(tmp_path / "a.xml").getroot()
    assert root.findtext("meta/task/size") == "6"
    assert {label.findtext("name") for label in root.iter("label")} == {
        "cat",
        "object 3",
        'dög "ü" <&>',
        "ball",
        "hidden",
    }
    tracks = root.findall("track")
    assert [(track.get("id"), track.get("label")) for track in tracks][:2] == [
        ("0", "cat"),
        ("1", "object 3"),
    ]
    shapes = [(mask.get("frame"), mask.get("outside")) for mask in tracks[2]]  # object 7 leaves twice
    assert shapes == [("0", "0"), ("1", "0"), ("2", "1")]
    first = tracks[0][0]
    assert [first.get(key) for key in ("left", "top", "width", "height")] == ["3", "2", "7", "12"]
    assert first.get("rle") == "0, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 21"  # row by row


def test_what_is_stated_of_a_frame(tmp_path: Path) -> None:
    """A track that ends says that its object is gone; a shape of one frame says nothing of the others."""
    path = tmp_path / "a.xml"
    box = 'left="1" top="1" width="2" height="2"'
    shape = f'<mask frame="{{}}" outside="{{}}" keyframe="1" occluded="0" rle="0, 4" {box} z_order="0"/>'
    track = shape.format(0, 0) + shape.format(1, 0) + shape.format(2, 1) + shape.format(4, 0)
    single = shape.format(1, 0).replace('left="1"', 'left="5"') + shape.format(2, 1)
    path.write_text(
        "<annotations><meta><task><name>job</name><size>9</size><original_size><width>8</width><height>4</height>"
        "</original_size></task></meta>"
        f'<track id="0" label="cat">{track}</track><track id="1" label="dog">{single}</track></annotations>'
    )
    back = read_masks(path)
    assert (back.names, back.frame_count, back.numbered) == ({1: "cat", 2: "dog"}, 9, True)
    assert "no ids of objects" in back.notices[0]
    assert {f.index: (sorted(f.stated or ()), sorted(set(f.labels.ravel()) - {0})) for f in back} == {
        0: ([1], [1]), 1: ([1, 2], [1, 2]), 2: ([1], []), 4: ([1], [1]),
    }  # fmt: skip


def test_polygons_boxes_and_depth(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(
        '<annotations><image id="3" name="x.png" width="8" height="4">'
        '<box label="cat" xtl="1" ytl="1" xbr="5" ybr="3" z_order="2"/>'
        '<polygon label="cat" points="0,0;8,0;8,4;0,4" z_order="1"/><points label="cat" points="1,1"/>'
        "</image></annotations>"
    )
    back = read_masks(path)
    (frame,) = back
    assert frame.index == 3 and frame.labels.tolist() == [[2] * 8, *[[2, 1, 1, 1, 1, 2, 2, 2]] * 2, [2] * 8]
    told = " ".join(back.notices)
    assert (
        "1 shapes of the kind points were left out" in told
        and "polygons became masks" in told
        and "overlap" in told
    )


BOMB = '<!DOCTYPE a [<!ENTITY a "xxxx"><!ENTITY b "&a;&a;&a;&a;">]><annotations>&b;</annotations>'
TASK = "<meta><task><original_size><width>8</width><height>4</height></original_size></task></meta>"
MASK = '<track id="0" label="a"><mask frame="{frame}" rle="{rle}" left="0" top="0" width="{width}" height="1"/></track>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "declares a document type or entities"),
        ("<annotations>", "not valid XML"),
        ("<a>" * 100, "nested too deeply"),
        ("<annotations/>", "does not state the size"),
        (TASK.replace("8", "99999999"), "expected sides of 1 to"),
        (TASK + MASK.format(frame=0, rle="1, 2", width=8), "covers 3 pixels, but its size has 8"),
        (TASK + MASK.format(frame=0, rle="1, x", width=8), "not a list of whole numbers"),
        (TASK + MASK.format(frame=0, rle="9" * 30, width=8), "whole numbers"),
        (TASK + MASK.format(frame=0, rle="1", width=10**9), "the width of a mask"),
        (TASK + MASK.format(frame=-1, rle="1", width=1), "a frame in .* is '-1'"),
    ],
)  # fmt: skip
def test_damage_is_told(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(
        text if text.startswith(("<a", "<!")) else f"<annotations>{text}</annotations>"
    )
    with pytest.raises(MaskError, match=words):
        list(read_masks(tmp_path / "a.xml"))


def test_an_endless_attribute_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limpet.exchange.xml_events._LONGEST_ELEMENT", 1 << 18)
    (tmp_path / "a.xml").write_text(f'<annotations><track label="{"x" * (1 << 20)}"/></annotations>')
    with pytest.raises(MaskError, match="element of more than 262144 bytes"):
        read_masks(tmp_path / "a.xml")


def test_a_zip_without_annotations(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one/annotations.xml", "<a/>")
        archive.writestr("two/annotations.xml", "<a/>")
    with pytest.raises(MaskError, match=r"has 2 files named annotations\.xml"):
        read_masks(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(MaskError, match="none of the formats"):
        read_masks(tmp_path / "b.zip")
