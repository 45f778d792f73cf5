"""Supervisely: the files of a project, bitmaps as its SDK reads them, and damage."""

from __future__ import annotations

import base64
import io
import json
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import MaskError
from limpet.exchange.formats import read_masks, write_masks

from .sequences import hard_clip, hard_labels


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_masks(hard_clip(), tmp_path / "out", "supervisely")
    return tmp_path / "out"


def annotation(project: Path) -> Path:
    return project / "ds0" / "ann" / "clip.mp4.json"


def test_as_the_format_says(project: Path) -> None:
    meta = json.loads((project / "meta.json").read_text())
    assert [c["title"] for c in meta["classes"]] == [
        "cat",
        "object 3",
        hard_clip().names[7],
        "hidden",
        "ball",
    ]
    content = json.loads(annotation(project).read_text())
    assert content["size"] == {"height": 24, "width": 40} and content["framesCount"] == 6
    ids = json.loads((project / "key_id_map.json").read_text())["objects"]
    assert sorted(ids[item["key"]] for item in content["objects"]) == [1, 3, 7, 9, 12, 200]
    figure = content["frames"][0]["figures"][0]
    bitmap = figure["geometry"]["bitmap"]
    assert (figure["geometryType"], bitmap["origin"]) == ("bitmap", [3, 2])
    # as the SDK reads it: the alpha of what OpenCV makes of the PNG
    data = np.frombuffer(zlib.decompress(base64.b64decode(bitmap["data"])), np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    mask = pixels[..., 3] > 0 if pixels.ndim == 3 else pixels > 0
    assert np.array_equal(mask, hard_labels()[0][2:14, 3:10] == 1)


def test_an_annotation_alone_has_no_ids(project: Path) -> None:
    back = read_masks(annotation(project))
    assert back.numbered and sorted(back.names) == [1, 2, 3, 4, 5, 6]
    assert [back.names[i] for i in (1, 4)] == ["cat", "cat"]


def test_damage_is_told(project: Path) -> None:
    path = annotation(project)
    whole = path.read_text()

    def with_bitmap(**changes: object) -> None:
        content = json.loads(whole)
        content["frames"][0]["figures"][0]["geometry"]["bitmap"] |= changes
        path.write_text(json.dumps(content))

    for data, words in (
        ("!", "is damaged"),
        (base64.b64encode(b"no zlib").decode(), "is damaged"),
        (base64.b64encode(zlib.compress(bytes(100_000_000))).decode(), "more than 67108864 bytes"),
        (base64.b64encode(zlib.compress(b"no picture")).decode(), "cannot be read as a picture"),
    ):
        with_bitmap(data=data)
        with pytest.raises(MaskError, match=words):
            list(read_masks(project))
    with_bitmap(origin=[1 << 40, 0])
    with pytest.raises(MaskError, match="far from the frame"):
        list(read_masks(project))


def test_rgba_bitmaps_of_other_programs(project: Path) -> None:
    image = Image.fromarray(np.array([[[9, 9, 9, 0], [9, 9, 9, 255]]], np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    content = json.loads(annotation(project).read_text())
    figures = content["frames"][0]["figures"]
    figures[0]["geometry"]["bitmap"] = {
        "data": base64.b64encode(zlib.compress(buffer.getvalue())).decode(),
        "origin": [0, 0],
    }
    figures[1]["geometryType"] = "polygon"
    annotation(project).write_text(json.dumps(content))
    back = read_masks(project)
    first = next(iter(back)).labels
    assert first[0, 0] == 0 and first[0, 1] == 1
    assert back.notices == ["1 figures that are no bitmaps were left out"]
