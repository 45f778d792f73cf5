"""Masks: pictures of every mode and format, damaged ones, and what is no picture at all."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from limpet.core.masks import encode_mask, read_mask

from .case import Case, written

SIZE = (12, 16)


def mask_of(*ids: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """uint8 (H, W): the ids as columns."""
    mask = np.zeros(size, np.uint8)
    for k, number in enumerate(ids):
        mask[2:-2, 1 + 2 * k : 3 + 2 * k] = number
    return mask


MASK = mask_of(1, 7, 200)
PNG = encode_mask(MASK)


def saved(picture: Any, format: str = "PNG", **more: Any) -> bytes:
    """A picture's file."""
    buffer = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(buffer, format, **more)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG with its check sum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int, bits: int = 8, colours: int = 0) -> bytes:
    """The first bytes of a PNG of any stated size."""
    return b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    )


def _read(path: Path, **more: Any) -> str:
    mask = read_mask(path, **more)
    ids = np.unique(mask)
    return (
        f"{mask.shape[0]}x{mask.shape[1]}, ids {', '.join(map(str, ids[:6]))}{' …' if len(ids) > 6 else ''}"
    )


def _pictures() -> Iterator[tuple[str, str, bytes]]:
    colours = np.stack([MASK, MASK // 2, MASK * 0 + 3], -1)
    equal = np.repeat(MASK[..., None], 3, -1)
    wide = MASK.astype(np.uint16)
    yield "indexed PNG", "m.png", PNG
    yield "greyscale PNG", "m.png", saved(MASK)
    yield "1-bit PNG", "m.png", saved(Image.fromarray(MASK > 0))
    yield "indexed PNG of 4 bits", "m.png", saved(Image.fromarray(mask_of(1, 3)).convert("P"), bits=4)
    yield "16-bit PNG with small ids", "m.png", saved(wide)
    yield "16-bit PNG with large ids", "m.png", saved(wide * 200)
    yield "32-bit TIFF", "m.tif", saved(MASK.astype(np.int32), "TIFF")
    yield "floating-point TIFF", "m.tif", saved(MASK.astype(np.float32), "TIFF")
    yield "colours", "m.png", saved(colours)
    yield "three equal channels", "m.png", saved(equal)
    yield "the palette's colours", "m.png", saved(Image.open(io.BytesIO(PNG)).convert("RGB"))
    yield "transparency", "m.png", saved(np.dstack([equal, MASK]))
    yield "grey with transparency", "m.png", saved(np.stack([MASK, MASK], -1))
    yield "indexed with a transparent colour", "m.png", saved(Image.open(io.BytesIO(PNG)), transparency=0)
    yield "JPEG", "m.jpg", saved(MASK, "JPEG")
    yield "JPEG named .png", "m.png", saved(MASK, "JPEG")
    yield "CMYK JPEG", "m.jpg", saved(Image.fromarray(colours).convert("CMYK"), "JPEG")
    yield "lossless WebP", "m.webp", saved(Image.fromarray(colours), "WEBP", lossless=True)
    yield "GIF, whose writer renumbered the ids", "m.gif", saved(Image.open(io.BytesIO(PNG)), "GIF")
    yield "BMP", "m.bmp", saved(MASK, "BMP")
    yield "TIFF", "m.tif", saved(MASK, "TIFF")
    yield "PGM", "m.pgm", saved(MASK, "PPM")
    yield "no suffix", "m", PNG
    yield "another suffix", "m.txt", PNG
    yield "empty mask", "m.png", encode_mask(MASK * 0)
    yield "all of one object", "m.png", encode_mask(MASK * 0 + 9)
    yield "all 255 ids", "m.png", encode_mask(np.arange(192, dtype=np.uint8).reshape(SIZE) + 1)
    yield "one pixel of an object", "m.png", encode_mask(np.eye(1, 192, 5, np.uint8).reshape(SIZE))
    yield "void label 255", "m.png", encode_mask(mask_of(1, 255))
    yield "one pixel in all", "m.png", encode_mask(np.ones((1, 1), np.uint8))
    yield "a line of 30,000 pixels", "m.png", encode_mask(np.ones((1, 30_000), np.uint8))
    yield (
        "animated PNG",
        "m.png",
        saved(Image.fromarray(MASK), save_all=True, append_images=[Image.fromarray(MASK * 0)]),
    )
    yield "turned by EXIF", "m.png", saved(Image.fromarray(MASK), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0")  # fmt: skip
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "<script>alert(1)</script>\x1b[31m")
    yield "a comment with markup", "m.png", saved(MASK, pnginfo=info)


def _damaged() -> Iterator[tuple[str, str, bytes]]:
    for part in (0, 1, 8, 20, 33, 60, len(PNG) // 2, len(PNG) - 12, len(PNG) - 1):
        yield f"cut off after {part} bytes", "m.png", PNG[:part]
    places = {
        "magic": 2,
        "width": 18,
        "height": 23,
        "depth": 24,
        "palette": 80,
        "pixels": PNG.index(b"IDAT") + 12,
    }
    for what, place in places.items():
        yield f"a bit of its {what} turned", "m.png", PNG[:place] + bytes([PNG[place] ^ 4]) + PNG[place + 1 :]
    yield "rubbish after its end", "m.png", PNG + b"rubbish" * 100
    yield "twice in one file", "m.png", PNG + PNG
    yield (
        "states 60000x60000 pixels",
        "m.png",
        header(60_000, 60_000) + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
    )
    yield "states 2147483647 pixels a side", "m.png", header(2**31 - 1, 2**31 - 1) + chunk(b"IEND", b"")
    yield "states no pixels", "m.png", header(0, 0) + chunk(b"IEND", b"")
    yield "no pixels in it", "m.png", header(16, 12) + chunk(b"IEND", b"")
    rows = zlib.compress(bytes(17 * 12 * 50_000))
    yield "more pixels than stated", "m.png", header(16, 12) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000)))
    yield "a comment of 100 MB, packed", "m.png", PNG[:33] + text + PNG[33:]
    yield "a chunk that states 2 GB", "m.png", PNG[:33] + struct.pack(">I", 2**31 - 1) + b"tEXtx" + PNG[33:]
    yield "16-bit depth in an 8-bit file", "m.png", header(16, 12, 16) + PNG[33:]
    yield "17 bits", "m.png", header(16, 12, 17) + PNG[33:]


_FOREIGN: dict[str, bytes] = {
    "text": b"this is a mask",
    "an HTML page": b"<!DOCTYPE html><html><body>Not found</body></html>",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>',
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 12\n%%EndComments\n(x) print\n%%EOF\n",
    "PDF": b"%PDF-1.7\n%%EOF\n",
    "a zip": b"PK\x05\x06" + bytes(18),
    "an ELF program": b"\x7fELF" + bytes(60),
    "Photoshop": b"8BPS\0\x01" + bytes(30),
    "a pickle": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
    "zeros": bytes(500),
    "0xff": b"\xff" * 500,
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 864\n",
    "JSON": b'{"mask": [0, 1]}',
    "a DDS texture": b"DDS " + bytes(124),
    "an icon": b"\0\0\x01\0\x01\0" + bytes(40),
    "HEIF": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "RIFF without a picture": b"RIFF\x04\0\0\0WEBP",
    "TIFF of a loop": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
    "BMP that states 4 GB": b"BM"
    + struct.pack("<IIIIiiHHI", 2**32 - 1, 0, 54, 40, 2**30, 2**30, 1, 8, 0)
    + bytes(20),
    "PGM that states a terabyte": b"P5 1000000 1000000 255\n",
    "GIF of 65535x65535": b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x08\0;",
}


def _others() -> Iterator[tuple[str, Callable[[Path], Path], dict[str, Any]]]:
    def folder(at: Path) -> Path:
        (at / "m.png").mkdir()
        return at / "m.png"

    def link(at: Path, to: str) -> Path:
        (at / "m.png").symlink_to(to)
        return at / "m.png"

    def unreadable(at: Path) -> Path:
        os.mkfifo(at / "pipe")
        return at / "missing" / ".." / "m.png"

    png = written("m.png", PNG)
    yield "missing", lambda at: at / "m.png", {}
    yield "a folder", folder, {}
    yield "a broken link", partial(link, to="nowhere.png"), {}
    yield "a link to itself", partial(link, to="m.png"), {}
    yield "in a folder that is missing", unreadable, {}
    yield "a name with control characters", written("m\x1b[31m\n.png", b"x"), {}
    yield "a name with markup", written("<img src=x>.png", PNG), {}
    yield "another size", png, {"size": (24, 32)}
    yield "another size, resized", png, {"size": (24, 32), "resize_mask": True}
    yield "resized so far that an object is lost", png, {"size": (2, 2), "resize_mask": True}
    yield "width and height exchanged", png, {"size": (16, 12)}
    yield "void 200 is background", png, {"void": 200}


def cases() -> Iterator[Case]:
    """All masks."""
    group = "Masks"
    for name, file, data in (*_pictures(), *_damaged()):
        yield Case(group, name, written(file, data), _read)
    for name, data in _FOREIGN.items():
        yield Case(group, f"{name} named .png", written("m.png", data), _read)
    for name, make, more in _others():
        yield Case(group, name, make, partial(_read, **more))
