from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from limpet.core.errors import DataError
from limpet.evaluation.evaluate_videos import run_video
from limpet.evaluation.protocols.mose import MoseProtocol
from limpet.evaluation.protocols.sa_v_masklets import SaVProtocol
from limpet.evaluation.protocols.youtube_vos import YouTubeVosProtocol
from limpet.evaluation.submission import write_submission

from .tiny import CopiesMasks, make_mose, make_sa_v, make_youtube_vos


def test_only_what_is_asked_for_is_in_the_archive(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path / "data")
    protocol = YouTubeVosProtocol(tmp_path / "data")
    for name in protocol.names():
        run_video(CopiesMasks(), protocol.task(name), save_masks=tmp_path / "masks")
    (tmp_path / "masks/late/.DS_Store").touch()
    assert write_submission(protocol, tmp_path / "masks", tmp_path / "a.zip") == 10
    names = zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert names[:5] == [f"Annotations/late/{2 * place:05}.png" for place in range(5)] and len(names) == 10
    write_submission(protocol, tmp_path / "masks", tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    (tmp_path / "masks/late/00004.png").unlink()
    with pytest.raises(DataError, match=r"late/00004\.png is missing"):
        write_submission(protocol, tmp_path / "masks", tmp_path / "c.zip")
    assert not (tmp_path / "c.zip").exists()


def test_mose_has_no_folder_around_the_videos(tmp_path: Path) -> None:
    make_mose(tmp_path / "data")
    protocol = MoseProtocol(tmp_path / "data")
    run_video(CopiesMasks(), protocol.task("gone"), save_masks=tmp_path / "masks")
    assert write_submission(protocol, tmp_path / "masks", tmp_path / "a.zip") == 7
    assert zipfile.ZipFile(tmp_path / "a.zip").namelist()[0] == "gone/00000.png"


def test_public_labels_need_no_submission(tmp_path: Path) -> None:
    make_sa_v(tmp_path)
    with pytest.raises(DataError, match="SA-V has no server"):
        write_submission(SaVProtocol(tmp_path), tmp_path, tmp_path / "a.zip")
