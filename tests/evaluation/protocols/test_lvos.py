from __future__ import annotations

from pathlib import Path

import pytest

from limpet.core.errors import DataError
from limpet.evaluation.protocols.lvos import LvosProtocol
from limpet.evaluation.protocols.youtube_vos import YouTubeVosProtocol

from ..tiny import make_lvos, make_youtube_vos


def test_frame_ranges_say_what_is_scored(tmp_path: Path) -> None:
    make_lvos(tmp_path)
    task = LvosProtocol(tmp_path).task("old")
    first, late = task.objects
    assert (first.id, first.begins, first.scored, first.zeros) == (2, 0, (0, 1, 2, 3), 0), (
        "the end is not scored"
    )
    assert (late.id, late.begins, late.scored, late.zeros) == (5, 2, (2, 3), 1), "one of 3 frames is missing"


def test_videos_are_seen_or_unseen(tmp_path: Path) -> None:
    make_lvos(tmp_path)
    protocol = LvosProtocol(tmp_path)
    assert {name: protocol.task(name).objects[0].seen for name in protocol.names()} == {
        "new": False,
        "old": True,
    }
    (tmp_path / "unseen_videos.txt").unlink()
    assert LvosProtocol(tmp_path).task("new").objects[0].seen is None


def test_withheld_labels(tmp_path: Path) -> None:
    make_lvos(tmp_path, labelled=False)
    task = LvosProtocol(tmp_path).task("old")
    assert not task.labelled and not task.scored and len(task.answers) == 5
    assert [each.zeros for each in task.objects] == [0, 0]


def test_frames_need_numbers(tmp_path: Path) -> None:
    make_lvos(tmp_path)
    for folder, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
        path = tmp_path / f"valid/{folder}/new/00000021.{suffix}"
        path.rename(path.with_stem("last"))
    with pytest.raises(DataError, match="has no number as its name"):
        LvosProtocol(tmp_path).task("new")


def test_a_damaged_frame_range_is_told(tmp_path: Path) -> None:
    make_lvos(tmp_path)
    meta = tmp_path / "valid/meta.json"
    whole = meta.read_text()
    for damaged in (whole.replace('"start"', '"begin"'), whole.replace('"end": "', '"end": "x')):
        meta.write_text(damaged)
        with pytest.raises(DataError, match="is not a list of YouTube-VOS"):
            LvosProtocol(tmp_path).names()


def test_only_frames_that_are_scored_need_labels(tmp_path: Path) -> None:
    make_lvos(tmp_path)
    (tmp_path / "valid/Annotations/old/00000021.png").unlink()
    assert LvosProtocol(tmp_path).task("old").labelled
    (tmp_path / "valid/Annotations/old/00000016.png").unlink()
    with pytest.raises(DataError, match=r"'old' lacks the annotations of 1 of 4 frames .*: 00000016\.png"):
        LvosProtocol(tmp_path).task("old")


def test_the_list_of_another_benchmark_is_told(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path / "ytvos")
    make_lvos(tmp_path / "lvos")
    with pytest.raises(
        DataError, match=r"gives each object 'frames' instead of 'frame_range', as youtube-vos does"
    ):
        LvosProtocol(tmp_path / "ytvos").names()
    with pytest.raises(DataError, match="use: limpet eval lvos"):
        YouTubeVosProtocol(tmp_path / "lvos").names()
