"""Masks keep their ids; what is not a mask is refused with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import MaskError, OutputError
from limpet.core.masks import (
    davis_palette,
    decode_mask,
    encode_mask,
    read_annotation,
    read_ids,
    read_mask,
    without_void,
    write_mask,
)

MASK = np.zeros((20, 30), np.uint8)
MASK[2:9, 3:12] = 7
MASK[10:18, 15:28] = 200


def saved(path: Path, array: np.ndarray, **options: object) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def test_round_trip_keeps_ids_and_palette(tmp_path: Path) -> None:
    write_mask(tmp_path / "m.png", MASK)
    assert np.array_equal(read_mask(tmp_path / "m.png", (20, 30)), MASK)
    with Image.open(tmp_path / "m.png") as image:
        assert image.mode == "P" and image.getpalette() == davis_palette().ravel().tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["m.png"]


def test_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    write_mask(tmp_path / "m.png", MASK)
    assert encode_mask(MASK) == (tmp_path / "m.png").read_bytes()
    assert np.array_equal(decode_mask(encode_mask(MASK)), MASK)
    with pytest.raises(ValueError, match=r"a mask is uint8 \(H, W\); got int64 \(20, 30\)"):
        encode_mask(MASK.astype(np.int64))  # type: ignore[arg-type]


def test_all_ids_survive(tmp_path: Path) -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_mask(tmp_path / "m.png", every)
    assert np.array_equal(read_mask(tmp_path / "m.png"), every)


def test_palette_against_the_slow_rule() -> None:
    def colour(number: int) -> list[int]:
        red = green = blue = 0
        for shift in range(8):
            red |= (number >> 0 & 1) << 7 - shift
            green |= (number >> 1 & 1) << 7 - shift
            blue |= (number >> 2 & 1) << 7 - shift
            number >>= 3
        return [red, green, blue]

    assert davis_palette().tolist() == [colour(number) for number in range(256)]
    assert davis_palette()[:5].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey_and_one_bit(tmp_path: Path, mode: str) -> None:
    expected = MASK if mode == "L" else (MASK > 0).astype(np.uint8)
    image = Image.fromarray(MASK) if mode == "L" else Image.fromarray(MASK > 0)
    assert image.mode == mode
    image.save(tmp_path / "m.png")
    assert np.array_equal(read_mask(tmp_path / "m.png"), expected)


def test_four_bit_palette(tmp_path: Path) -> None:
    image = Image.fromarray((MASK > 0).astype(np.uint8) * 3)
    image.putpalette(davis_palette()[:4].tobytes())
    image.save(tmp_path / "m.png", bits=2)
    assert set(np.unique(read_mask(tmp_path / "m.png"))) == {0, 3}


def test_void_is_an_object_unless_named(tmp_path: Path) -> None:
    mask = MASK.copy()
    mask[0] = 255
    path = saved(tmp_path / "m.png", mask)
    assert 255 in read_mask(path)
    assert np.array_equal(read_mask(path, void=255), MASK)


def test_other_size(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.png", MASK)
    with pytest.raises(
        MaskError, match=r"^mask is 20x30 but the frame is 40x60; resize it or pass resize_mask=True$"
    ):
        read_mask(path, (40, 60))
    assert np.array_equal(read_mask(path, (40, 60), resize_mask=True), MASK.repeat(2, 0).repeat(2, 1))


def test_resize_never_drops_an_object_in_silence(tmp_path: Path) -> None:
    mask = MASK.copy()
    mask[0, 0] = 9
    with pytest.raises(
        MaskError, match=r"object 9 of .* is too small to survive the resize from 20x30 to 5x7"
    ):
        read_mask(saved(tmp_path / "m.png", mask), (5, 7), resize_mask=True)


def test_no_object(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"holds no object: every pixel is background \(0\)"):
        read_mask(saved(tmp_path / "m.png", np.zeros((4, 4), np.uint8)))


def test_rgb_in_palette_colours(tmp_path: Path) -> None:
    with pytest.raises(
        MaskError, match=r"colours are the DAVIS palette's \(ids 7, 200\), so a program converted .*8-bit"
    ):
        read_mask(saved(tmp_path / "m.png", davis_palette()[MASK]))


def test_rgb_grey(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match="three channels are equal"):
        read_mask(saved(tmp_path / "m.png", np.repeat((MASK + 5)[..., None], 3, 2)))


def test_rgb_of_other_colours(tmp_path: Path) -> None:
    colours = np.zeros((4, 4, 4), np.uint8)
    colours[0] = (1, 2, 3, 255)
    with pytest.raises(MaskError, match=r"has colours \(mode RGBA\).*it has 2 colours: save it as"):
        read_mask(saved(tmp_path / "m.png", colours))


def test_300_ids(tmp_path: Path) -> None:
    ids = np.arange(301, dtype=np.uint16).reshape(7, 43)
    with pytest.raises(MaskError, match="has 300 ids, but 255 is the limit"):
        read_mask(saved(tmp_path / "m.png", ids))


def test_16_bit_with_few_ids(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"is 16-bit .*its 2 ids fit into 8 bits"):
        read_mask(saved(tmp_path / "m.png", MASK.astype(np.uint16)))
    with pytest.raises(MaskError, match="is 16-bit with ids up to 2000, but ids go from 1 to 255; renumber"):
        read_mask(saved(tmp_path / "m.png", MASK.astype(np.uint16) * 10))


def test_floating_point(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match="contains floating-point values"):
        read_mask(saved(tmp_path / "m.tif", MASK.astype(np.float32)))


def test_transparency(tmp_path: Path) -> None:
    Image.fromarray(MASK).convert("LA").save(tmp_path / "m.png")
    with pytest.raises(MaskError, match="has transparency"):
        read_mask(tmp_path / "m.png")


def test_lossy(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match="is a JPEG file, whose compression changes ids"):
        read_mask(saved(tmp_path / "m.jpg", MASK))


def test_missing_and_damaged(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"mask .*m.png does not exist; expected an indexed PNG"):
        read_mask(tmp_path / "m.png")
    write_mask(tmp_path / "m.png", MASK)
    data = (tmp_path / "m.png").read_bytes()
    (tmp_path / "m.png").write_bytes(data[:-30])
    with pytest.raises(MaskError, match="cannot be read as an image"):
        read_mask(tmp_path / "m.png")
    (tmp_path / "m.png").write_text("hello")
    with pytest.raises(MaskError, match="cannot be read as an image"):
        read_mask(tmp_path / "m.png")


def test_write_refuses_other_arrays(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a mask is uint8 \(H, W\); got int64"):
        write_mask(tmp_path / "m.png", MASK.astype(np.int64))


def test_write_into_nowhere(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*m.png: the folder does not exist"):
        write_mask(tmp_path / "no" / "m.png", MASK)


def test_ids_of_a_data_set_may_be_empty_or_grey_rgb(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    grey = np.zeros((24, 40), np.uint8)
    Image.fromarray(grey).save(path)
    assert not read_ids(path).any()
    grey[2:10, 3:13] = 255
    Image.fromarray(grey).save(path)
    assert np.array_equal(read_ids(path), grey)
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(path)
    assert np.array_equal(read_ids(path), grey)
    Image.fromarray(np.stack([grey, grey, 255 - grey], axis=-1)).save(path)
    with pytest.raises(MaskError, match="has colours"):
        read_ids(path)
    with pytest.raises(MaskError, match="does not exist"):
        read_ids(tmp_path / "gone.png")


def test_255_is_the_object_alone_and_void_among_others(tmp_path: Path) -> None:
    for values, expected in (([0, 255], [0, 255]), ([0, 2, 255], [0, 2, 0]), ([0, 0], [0, 0])):
        mask = np.array([values], np.uint8)
        Image.fromarray(mask).save(tmp_path / "mask.png")
        assert read_annotation(tmp_path / "mask.png").tolist() == [expected]
        assert without_void(mask).tolist() == [expected] and mask.tolist() == [values]
