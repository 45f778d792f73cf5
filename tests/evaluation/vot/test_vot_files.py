"""Files of regions as the toolkit writes them, as text and in binary form."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import DataError
from limpet.evaluation.vot.vot_files import read_regions, read_run, read_sequence, read_sequences

from .box_workspace import FRAMES, SIZE, write_workspace


def binary(*regions: bytes) -> bytes:
    return struct.pack("<hI", 1, len(regions)) + b"".join(regions)


SPECIAL = struct.pack("<BI", 0, 1)
MASK = struct.pack("<BhhHHH4H", 3, 4, 2, 3, 2, 4, 1, 2, 2, 1)
EMPTY_BOX = struct.pack("<Bffff", 1, 0, 0, 0, 0)


def test_a_binary_file(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(binary(SPECIAL, MASK, EMPTY_BOX))
    first, mask, nothing = read_regions(tmp_path / "a.bin")
    assert first is None and nothing is not None and nothing.is_empty
    assert mask is not None and (mask.x, mask.y) == (4, 2)
    assert mask.mask.astype(int).tolist() == [[0, 1, 1], [0, 0, 1]]
    (tmp_path / "a.txt").write_text("1\nm4,2,3,2,1,2,2,1\n0,0,0,0\n")
    for one, other in zip(read_regions(tmp_path / "a.txt"), (first, mask, nothing), strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert np.array_equal(one.on_image((9, 9)), other.on_image((9, 9)))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (binary(SPECIAL, MASK)[:-3], "is damaged"),
        (b"", "is damaged"),
        (binary(SPECIAL, struct.pack("<Bffff", 1, 1, 1, 5, 5)), "has boxes; limpet works with masks alone"),
        (binary(struct.pack("<BH6f", 2, 3, *range(6))), "has a polygon or an unknown region"),
    ],
)
def test_a_binary_file_that_cannot_be_read(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read_regions(tmp_path / "a.bin")


def test_lines_without_a_region(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0\nnan,nan,nan,nan\n0,0,0,0\n")
    unknown, no_number, absent = read_regions(tmp_path / "a.txt")
    assert unknown is None and no_number is None and absent is not None and absent.is_empty


def test_anchors_as_the_official_data_has_them(tmp_path: Path) -> None:
    write_workspace(tmp_path, multiobject=False)
    (tmp_path / "sequences/a/anchor.value").write_text("1.000\n\n0.000\n-1.000\n")
    assert read_sequence(tmp_path / "sequences/a").anchors == [1, 0, 0, -1]


def test_a_run_that_has_not_been_made(tmp_path: Path) -> None:
    assert read_run(tmp_path / "a_00000000") is None
    (tmp_path / "a_00000000.bin").write_bytes(binary(SPECIAL))
    assert read_run(tmp_path / "a_00000000") == [None]


def test_sequences_of_a_workspace(tmp_path: Path) -> None:
    write_workspace(tmp_path, multiobject=True)
    a, _, c = read_sequences(tmp_path)
    assert (a.name, a.size, len(a), list(a.truth), a.anchors) == ("a", SIZE, FRAMES["a"], ["object"], [])
    assert list(c.truth) == ["1", "2"] and c.ignored is not None and c.truth["2"][5] is None
    (tmp_path / "sequences/a/sequence").write_text("channels.color=color/%08d.png\nfps=20\n")
    assert read_sequence(tmp_path / "sequences/a").size == SIZE, "taken from the first image"


def test_what_is_no_sequence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no sequences: there is no file"):
        read_sequences(tmp_path)
    write_workspace(tmp_path, multiobject=True)
    (tmp_path / "sequences/c/groundtruth_2.txt").write_text("0\n")
    with pytest.raises(DataError, match="several of different lengths"):
        read_sequences(tmp_path)
