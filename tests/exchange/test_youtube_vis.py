"""YouTube-VIS: there and back, and as pycocotools reads it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import MaskError
from limpet.exchange.formats import read_masks, write_masks
from limpet.exchange.options import ConversionOptions

from .sequences import HARD_NAMES, TIMES, assert_same, clip_of, crowd, hard_clip, hard_labels


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.json"


def test_there_and_back(path: Path) -> None:
    write_masks(hard_clip(), path, "youtube-vis")
    back = read_masks(path)
    assert_same(hard_clip(), back)
    assert (back.name, back.frame_count, back.frame_rate) == ("clip.mp4", len(TIMES), 25)
    assert back.notices == []


def test_three_hundred_objects(path: Path) -> None:
    write_masks(crowd(), path, "youtube-vis")
    assert_same(crowd(), read_masks(path))


def test_as_the_format_says_and_pycocotools_reads(path: Path) -> None:
    write_masks(hard_clip(), path, "youtube-vis")
    content = json.loads(path.read_text())
    (video,) = content["videos"]
    assert (video["width"], video["height"], video["length"]) == (40, 24, 6)
    assert video["file_names"][5] == "clip/00005.jpg"
    assert {category["name"] for category in content["categories"]} == {
        "cat",
        "object",
        'dög "ü" <&>',
        "hidden",
        "ball",
    }
    annotations = {annotation["id"]: annotation for annotation in content["annotations"]}
    assert sorted(annotations) == sorted(HARD_NAMES)
    for number, annotation in annotations.items():
        for key in ("segmentations", "areas", "bboxes"):
            assert len(annotation[key]) == len(TIMES)
        shown = [s is not None for s in annotation["segmentations"]]
        assert shown == [bool((labels == number).any()) for labels in hard_labels().values()]
    assert annotations[1]["bboxes"][0] == [3, 2, 7, 12] and annotations[1]["areas"][0] == 48
    oracle = pytest.importorskip("pycocotools.mask")
    for index, labels in hard_labels().items():
        rle = annotations[1]["segmentations"][index]
        if rle is not None:
            assert np.array_equal(oracle.decode(rle) > 0, labels == 1)


def test_results_as_the_format_says_and_pycocotools_reads(path: Path) -> None:
    masks = hard_clip()
    write_masks(masks, path, "youtube-vis-results")
    assert len(masks.notices) == 1 and "video_id is 1" in masks.notices[0]
    results = json.loads(path.read_text())
    assert [result.pop("id") for result in results] == list(HARD_NAMES)
    assert all(
        set(result) == {"video_id", "category_id", "score", "segmentations"}
        and (result["video_id"], result["score"], len(result["segmentations"])) == (1, 1.0, len(TIMES))
        for result in results
    )
    path.write_text(json.dumps(results))
    back = read_masks(path)  # without ids: they are counted
    assert list(back.names) == list(range(1, len(HARD_NAMES) + 1))
    truth = path.with_name("truth.json")
    write_masks(hard_clip(), truth, "youtube-vis")
    for result, annotation in zip(results, json.loads(truth.read_text())["annotations"], strict=True):
        assert result["category_id"] == annotation["category_id"]
        assert result["segmentations"] == annotation["segmentations"]
    oracle = pytest.importorskip("pycocotools.mask")
    for number, result in zip(HARD_NAMES, results, strict=True):
        for index, rle in enumerate(result["segmentations"]):
            expected = hard_labels().get(index)
            shown = rle is not None and oracle.decode(rle) > 0
            assert np.array_equal(shown, expected == number) if rle else not (expected == number).any()


def test_results_of_several_videos_and_damage(path: Path) -> None:
    rle = {"size": [4, 8], "counts": [0, 4, 28]}
    found = [
        {"video_id": number, "category_id": 1, "score": 0.5, "segmentations": [rle]} for number in (3, 7)
    ]
    path.write_text(json.dumps(found))
    with pytest.raises(MaskError, match="has 2 videos: 3, 7; choose one"):
        read_masks(path)
    assert next(iter(read_masks(path, sequence="7"))).labels[:, 0].tolist() == [1] * 4
    path.write_text(json.dumps([found[0] | {"segmentations": [None]}]))
    with pytest.raises(MaskError, match=r"no result of video 3 in .* has a mask, by which"):
        read_masks(path)
    path.write_text(json.dumps([*found, 3]))
    with pytest.raises(MaskError, match="results is not a list"):
        read_masks(path)
    with pytest.raises(MaskError, match="results of YouTube-VIS are RLE; leave out polygons=True"):
        write_masks(
            hard_clip(), path.with_name("b.json"), "youtube-vis-results", ConversionOptions(polygons=True)
        )


def test_polygons_fill_holes_and_say_so(path: Path) -> None:
    masks = hard_clip()
    write_masks(masks, path, "youtube-vis", ConversionOptions(polygons=True))
    assert masks.notices == ["polygons have no holes: those of 3 masks were filled; RLE keeps them"]
    labels = {index: frame.labels for index, frame in enumerate(read_masks(path))}
    assert (labels[0][15:22, 14:26] == 7).all(), "the hole is filled"
    assert np.array_equal(labels[0] == 1, hard_labels()[0] == 1)
    assert np.array_equal(labels[0] == 3, hard_labels()[0] == 3), "islands of one pixel stay"


def test_frames_without_masks_at_the_end_are_there(path: Path) -> None:
    write_masks(clip_of({1: hard_labels()[0]}, HARD_NAMES, 4), path, "youtube-vis")
    back = read_masks(path)
    assert [frame.labels.any() for frame in back] == [False, True, False, False]


def test_a_file_of_several_videos(path: Path) -> None:
    write_masks(hard_clip(), path, "youtube-vis")
    content = json.loads(path.read_text())
    content["videos"].append({"id": 2, "width": 8, "height": 4, "length": 1, "file_names": ["other/0.jpg"]})
    rle = {"size": [4, 8], "counts": [0, 4, 28]}
    content["annotations"].append({"id": 99, "video_id": 2, "category_id": 1, "segmentations": [rle]})
    path.write_text(json.dumps(content))
    with pytest.raises(MaskError, match="has 2 videos: clip, other; choose one with sequence='NAME'"):
        read_masks(path)
    with pytest.raises(MaskError, match="no videos named 'third'"):
        read_masks(path, sequence="third")
    other = read_masks(path, sequence="other")
    assert dict(other.names) == {99: "cat"}
    assert next(iter(other)).labels[:, 0].tolist() == [99] * 4


def test_overlaps_are_told(path: Path) -> None:
    write_masks(hard_clip(), path, "youtube-vis")
    content = json.loads(path.read_text())
    content["annotations"][1]["segmentations"] = content["annotations"][0]["segmentations"]
    path.write_text(json.dumps(content))
    back = read_masks(path)
    first = next(iter(back))
    assert (first.labels == 3).sum() == 48 and not (first.labels == 1).any()
    list(back)
    assert "masks overlap in 4 frames" in back.notices[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["videos"][0].update(height=10**9), "1000000000x40; expected sides of 1 to"),
        (lambda c: c["videos"][0].update(height="x"), "the height in .* is 'x'"),
        (lambda c: c["videos"][0].update(length=10**9), "has 1000000000 frames; at most"),
        (lambda c: c["videos"][0].update(length=5, limpet={}), "no list of 5 segmentations"),
        (lambda c: c["videos"][0]["limpet"].update(frame_times=[0]), "has 1 frame times for 6 frames"),
        (lambda c: c["videos"][0]["limpet"].update(frame_rate="1/0"), "frame rate"),
        (lambda c: c["videos"].clear(), "has no videos"),
        (lambda c: c.update(annotations=3), "annotations is not a list"),
        (lambda c: c["annotations"][0]["segmentations"].__setitem__(0, {"size": [4], "counts": "0"}), r"size \[4\]"),
        (lambda c: c["annotations"][0]["segmentations"].__setitem__(0, 7), "neither an RLE"),
        (
            lambda c: c["annotations"][0]["segmentations"].__setitem__(0, {"size": [24, 40], "counts": [10**12]}),
            "a count in frame 0 of object 1",
        ),
    ],
)  # fmt: skip
def test_damage_is_told(path: Path, change: object, words: str) -> None:
    write_masks(hard_clip(), path, "youtube-vis")
    content = json.loads(path.read_text())
    change(content)  # type: ignore[operator]
    path.write_text(json.dumps(content))
    with pytest.raises(MaskError, match=words):
        list(read_masks(path))
