"""COCO: there and back, and files of other programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import MaskError
from limpet.exchange.formats import read_masks, write_masks
from limpet.exchange.options import ConversionOptions

from .sequences import TIMES, assert_same, crowd, hard_clip, hard_labels


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.json"


def test_there_and_back(path: Path) -> None:
    write_masks(hard_clip(), path, "coco")
    back = read_masks(path)
    assert_same(hard_clip(), back)
    assert (back.name, back.frame_count, back.frame_rate) == ("clip.mp4", len(TIMES), 25)
    write_masks(crowd(), path, "coco", overwrite=True)
    assert_same(crowd(), read_masks(path))


def test_pycocotools_reads_it(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    for polygons in (False, True):
        write_masks(hard_clip(), path, "coco", ConversionOptions(polygons), overwrite=True)
        theirs = coco.COCO(str(path))
        assert len(theirs.getImgIds()) == len(TIMES)
        for annotation in theirs.loadAnns(theirs.getAnnIds(imgIds=[2])):
            expected = hard_labels()[1] == annotation["track_id"]
            if polygons and annotation["track_id"] == 7:
                expected |= hard_labels()[1] == 200
            assert np.array_equal(theirs.annToMask(annotation) > 0, expected)
            assert annotation["area"] == (hard_labels()[1] == annotation["track_id"]).sum()


def test_annotations_without_tracks_are_numbered_within_each_image(path: Path) -> None:
    rle = [{"size": [2, 3], "counts": [k, 1, 5 - k]} for k in range(3)]
    images = [
        {"id": 7, "file_name": "b10.jpg", "height": 2, "width": 3},
        {"id": 8, "file_name": "b9.jpg", "height": 2, "width": 3},
    ]
    annotations = [
        {"id": k, "image_id": image, "category_id": 1, "segmentation": rle[k]}
        for k, image in enumerate((7, 7, 8))
    ]
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "x"}]})
    )
    back = read_masks(path)
    assert [frame.labels.ravel("F").tolist() for frame in back] == [[0, 0, 1, 0, 0, 0], [1, 2, 0, 0, 0, 0]]
    assert "no track_id" in back.notices[0]


def test_images_of_two_sizes_are_refused(path: Path) -> None:
    images = [{"id": k, "file_name": f"{k}.jpg", "height": 2, "width": 3 + k} for k in range(2)]
    path.write_text(json.dumps({"images": images, "annotations": []}))
    with pytest.raises(MaskError, match=r"1\.jpg .* another size than 0\.jpg"):
        read_masks(path)
