"""What a file says of its own length, and what is missing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from limpet.video.container_size import missing_bytes

from .clips import make_clip


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "clip.mkv", "clip.webm", "clip.avi"])
@pytest.mark.parametrize("cut", [0, 1, 30, 400])
def test_missing_bytes_are_counted(name: str, cut: int, tmp_path: Path) -> None:
    path = make_clip(tmp_path / name, 6, codec="libvpx-vp9" if name.endswith("webm") else "libx264")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - cut])
    assert missing_bytes(path) == cut


def test_more_than_the_container_says_is_no_damage(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mkv", 6)
    path.write_bytes(path.read_bytes() + b"notes of a person")
    assert missing_bytes(path) == 0


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x", bytes(64), b"\x00\x00\x00\x01ftyp", b"\x00\x00\x00\x04ftypisom" * 4, b"\x1aE\xdf\xa3",
        b"\x1aE\xdf\xa3\x00",
        b"\x1aE\xdf\xa3\x80\x18S\x80g\x01\xff\xff\xff\xff\xff\xff\xff", b"\x1aE\xdf\xa3\xff", b"GIF89a" + bytes(9),
    ],
)  # fmt: skip
def test_what_states_no_length_has_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd").write_bytes(data)
    assert missing_bytes(tmp_path / "odd") in (None, 0)


def test_boxes_without_end_are_given_up(tmp_path: Path) -> None:
    box = (8).to_bytes(4, "big") + b"free"
    (tmp_path / "boxes.mp4").write_bytes(box * 200_000)
    assert missing_bytes(tmp_path / "boxes.mp4") is None
