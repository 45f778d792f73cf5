"""What strangers may put into files: names that lead elsewhere, sizes that fill the memory."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from limpet.core.errors import MaskError
from limpet.exchange.untrusted import (
    check_counts,
    check_frame_size,
    object_number,
    open_picture,
    open_zip,
    read_member,
    safe_name,
    whole_number,
)


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/evil.txt", "a/../../evil", "..\\evil.txt", "C:\\evil", "\\evil"]
)
def test_zips_whose_names_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("fine.txt", "x")
        archive.writestr(zipfile.ZipInfo(name), "x")
    with pytest.raises(MaskError, match="leads out of its folder"):
        open_zip(tmp_path / "a.zip")


def test_members_are_limited_by_what_they_are_not_by_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(5_000_000))
        archive.writestr("small", b"text")
    with open_zip(path) as archive:
        assert read_member(archive, "small") == b"text"
        with pytest.raises(MaskError, match="has 5000000 bytes; at most 1000 are read"):
            read_member(archive, "bomb", 1000)
        with pytest.raises(MaskError, match="is missing"):
            read_member(archive, "other")
        archive.getinfo("bomb").file_size = 10  # a lie
        with pytest.raises(MaskError, match=r"more than 1000 bytes|cannot be read"):
            read_member(archive, "bomb", 1000)
    path.write_bytes(b"PK\x03\x04 and nothing else")
    with pytest.raises(MaskError, match="not a readable zip"):
        open_zip(path)


def test_pictures_are_measured_before_they_are_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    with pytest.raises(MaskError, match=r"a\.png"):
        open_picture(path, "a.png")


@pytest.mark.parametrize("value", [None, "x", -1, 0.5, float("inf"), float("nan"), [], 1 << 60])
def test_numbers(value: object) -> None:
    with pytest.raises(MaskError, match=r"^it is .*; expected a whole number"):
        whole_number(value, "it")


def test_limits() -> None:
    assert check_frame_size(480.0, "854", "it") == (480, 854)
    for size in ((0, 5), (40_000, 2), (30_000, 30_000)):
        with pytest.raises(MaskError, match="expected sides of"):
            check_frame_size(*size, "it")
    with pytest.raises(MaskError, match="is background"):
        object_number(0, "it")
    with pytest.raises(MaskError, match="70000 objects"):
        check_counts(70_000, 1, "it")


@pytest.mark.parametrize(
    "text", ["../../etc/passwd", "a/b\\c", "..", ".", "", "con", "NUL.txt", "a" * 500, "\0x\n", "~/x", "-rf"]
)
def test_names_stay_names(text: str, tmp_path: Path) -> None:
    name = safe_name(text)
    assert name and name == Path(name).name and not name.startswith((".", "-", "~")) and len(name) <= 61
    (tmp_path / name).write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == [name]
