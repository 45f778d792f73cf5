from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from limpet.core.errors import DataError
from limpet.evaluation.submission_files import SubmissionFiles


def test_a_zip_file_and_its_folder_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "sub/a").mkdir(parents=True)
    (tmp_path / "sub/a/1.png").write_bytes(b"one")
    with zipfile.ZipFile(tmp_path / "sub.zip", "w") as archive:
        archive.mkdir("a")
        archive.write(tmp_path / "sub/a/1.png", "a/1.png")
    for path in (tmp_path / "sub", tmp_path / "sub.zip"):
        files = SubmissionFiles(path)
        assert files.names == ["a/1.png"] and files.read("a/1.png") == b"one"


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no archive"):
        SubmissionFiles(tmp_path / "gone.zip")
    (tmp_path / "bad.zip").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(DataError, match="cannot be read as a zip file"):
        SubmissionFiles(tmp_path / "bad.zip")
    with zipfile.ZipFile(tmp_path / "torn.zip", "w") as archive:
        archive.writestr("a.png", b"x" * 100)
    data = bytearray((tmp_path / "torn.zip").read_bytes())
    data[40] ^= 1
    (tmp_path / "torn.zip").write_bytes(data)
    with pytest.raises(DataError, match="cannot be read: Bad CRC"):
        SubmissionFiles(tmp_path / "torn.zip").read("a.png")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(65 * 2**20))
    with pytest.raises(DataError, match="65 MB, far more"):
        SubmissionFiles(tmp_path / "bomb.zip").read("a.png")
