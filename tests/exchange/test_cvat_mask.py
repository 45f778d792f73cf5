"""CVAT's segmentation masks: colours as in VOC, and zips that CVAT made."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import MaskError
from limpet.exchange.formats import read_masks, write_masks

from .sequences import hard_clip, hard_labels


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_masks(hard_clip(), tmp_path / "a.zip", "cvat-mask")
    return tmp_path / "a.zip"


def changed(path: Path, **members: bytes | None) -> Path:
    """A copy with other contents of some files (None: without them), made by another program."""
    out = path.with_name("b.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = members.get(Path(name).stem, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return out


def test_as_the_format_says(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("labelmap.txt").decode().splitlines()
        assert lines[:3] == ["# label:color_rgb:parts:actions", "background:0,0,0::", "cat:128,0,0::"]
        assert archive.read("ImageSets/Segmentation/default.txt").decode().split()[:2] == [
            "frame_000000",
            "frame_000001",
        ]
        with Image.open(io.BytesIO(archive.read("SegmentationClass/frame_000000.png"))) as image:
            assert image.mode == "RGB"
            assert np.array_equal((np.array(image) == (128, 0, 0)).all(axis=2), hard_labels()[0] == 1)


def test_identity_is_lost_in_cvat(path: Path) -> None:
    back = read_masks(changed(path))
    assert back.numbered and "numbers the objects of each frame anew" in back.notices[0]
    assert np.array_equal(next(iter(back)).labels, hard_labels()[0])


def test_names_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    def png(values: list[list[int]]) -> bytes:
        image = Image.fromarray(np.array(values, np.uint8))
        image.putpalette(bytes(range(256)) * 3)
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return buffer.getvalue()

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("task/labelmap.txt", "background:0,0,0::\ncat:128,0,0::\n")
        archive.writestr("task/ImageSets/Segmentation/train.txt", "b\na\n../../evil\n")
        for name in "ab":
            archive.writestr(f"task/SegmentationObject/{name}.png", png([[0, 1, 2]]))
            archive.writestr(f"task/SegmentationClass/{name}.png", png([[0, 1, 1]]))
    back = read_masks(tmp_path / "a.zip")
    assert dict(back.names) == {1: "cat", 2: "cat"} and [frame.index for frame in back] == [0, 1]


def test_damage_is_told(path: Path) -> None:
    for member, data, words in (
        ("labelmap", b"cat:red::", "has a line 'cat:red::'"),
        ("default", b"nothing", "lists no picture"),
        ("frame_000002", b"no picture", "cannot be read as a picture"),
        ("labelmap", None, "none of the formats"),
    ):
        with pytest.raises(MaskError, match=words):
            list(read_masks(changed(path, **{member: data})))
    buffer = io.BytesIO()
    Image.fromarray(np.full((24, 40, 3), 7, np.uint8)).save(buffer, "PNG")
    with pytest.raises(MaskError, match=r"has the colour \[7, 7, 7\], which is that of no object"):
        list(read_masks(changed(path, frame_000000=buffer.getvalue())))
