"""Pictures are measured before they are decoded, by whatever reads them."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from PIL import Image

from limpet.core.errors import MaskError
from limpet.core.masks import decode_mask, read_ids, read_mask
from limpet.core.picture_files import open_image


def bomb(side: int, colour: int = 3) -> bytes:
    """A PNG of so many rows and columns that is tiny as a file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, colour, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(6))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + palette
        + chunk(b"IDAT", zlib.compress(bytes(1 << 20)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [12_000, 30_000, 60_000, 2_000_000_000])
def test_bombs_take_no_memory(side: int, tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(side))
    tracemalloc.start()
    for read in (read_mask, read_ids):
        with pytest.raises(MaskError, match="cannot be read as an image"):
            read(path)
    with pytest.raises(MaskError, match="cannot be read as an image"):
        decode_mask(path.read_bytes())
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_the_limit_can_be_raised_beyond_that_of_pillow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.new("L", (100, 100)).save(tmp_path / "a.png")
    monkeypatch.setenv("LIMPET_MAX_PIXELS", "10000")
    with open_image(tmp_path / "a.png") as image:
        assert image.size == (100, 100)
    monkeypatch.setenv("LIMPET_MAX_PIXELS", "9999")
    with pytest.raises(ValueError, match=r"it is 100x100; expected .* at most 9999 in all"):
        open_image(io.BytesIO((tmp_path / "a.png").read_bytes()))
