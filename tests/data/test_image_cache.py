from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limpet.data.image_cache import ImageCache, UnreadableImageError


def test_pictures_shrink_to_the_long_side_and_stay_aligned(stills_root: Path) -> None:
    cache = ImageCache(long_side=100)
    picture = cache.load(stills_root / "images" / "coco_a.jpg", stills_root / "masks" / "coco_a.png")
    assert picture.image.shape == (75, 100, 3) and picture.mask.shape == (75, 100)
    assert picture.image.dtype == picture.mask.dtype == np.uint8
    assert np.unique(picture.mask).tolist() == [0, 1, 2]
    assert (picture.image[picture.mask == 1].argmax(1) == 0).all()  # the object of id 1 is red
    assert cache.nbytes == 75 * 100 * 4


def test_small_pictures_keep_their_size(stills_root: Path) -> None:
    cache = ImageCache(long_side=480)
    picture = cache.load(stills_root / "images" / "coco_a.jpg", stills_root / "masks" / "coco_a.png")
    assert picture.mask.shape == (150, 200)


def test_each_picture_is_decoded_once(stills_root: Path) -> None:
    image, mask = stills_root / "images" / "horse_b.jpg", stills_root / "masks" / "horse_b.png"
    cache = ImageCache(long_side=480)
    first = cache.load(image, mask)
    image.unlink()
    assert cache.load(image, mask) is first


def test_a_damaged_image_is_counted_once_and_named(
    stills_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image, mask = stills_root / "images" / "horse_b.jpg", stills_root / "masks" / "horse_b.png"
    image.write_bytes(image.read_bytes()[:700])  # the header is fine, the pixels are cut off
    cache = ImageCache(long_side=480)
    for _ in range(2):
        with pytest.raises(UnreadableImageError):
            cache.load(image, mask)
    assert len(cache.skipped) == 1 and cache.skipped[0].startswith("images/horse_b.jpg: ")
    assert caplog.messages == [f"skipped {cache.skipped[0]}"]


def test_beyond_its_limit_the_cache_lets_go_of_what_was_asked_for_longest_ago(stills_root: Path) -> None:
    names = ("coco_a", "horse_b", "bsds_c")
    paths = {
        name: (stills_root / "images" / f"{name}.jpg", stills_root / "masks" / f"{name}.png")
        for name in names
    }
    cache = ImageCache(long_side=480, max_bytes=2 * 150 * 200 * 4)
    first, second = cache.load(*paths["coco_a"]), cache.load(*paths["horse_b"])
    assert cache.load(*paths["coco_a"]) is first
    cache.load(*paths["bsds_c"])
    assert cache.nbytes == 2 * 150 * 200 * 4
    assert cache.load(*paths["coco_a"]) is first
    again = cache.load(*paths["horse_b"])
    assert again is not second and np.array_equal(again.image, second.image)
