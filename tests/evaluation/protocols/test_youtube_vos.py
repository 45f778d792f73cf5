from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import DataError
from limpet.evaluation.protocols.evaluation_protocol import ProtocolOptions
from limpet.evaluation.protocols.youtube_vos import YouTubeVosProtocol

from ..tiny import LATE, make_youtube_vos


def test_objects_begin_where_their_first_mask_is(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path)
    protocol = YouTubeVosProtocol(tmp_path)
    assert protocol.names() == ("late", "plain")
    task = protocol.task("late")
    assert [(each.id, each.begins) for each in task.objects] == [(2, 0), (5, 4)]
    assert len(task.frames) == 9 and task.answers == (0, 2, 4, 6, 8), (
        "all frames are seen, listed ones asked for"
    )
    assert not task.labelled and not task.scored
    assert task.given(4).numbers() == {5}


def test_only_the_listed_frames_may_be_seen(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path)
    protocol = YouTubeVosProtocol(tmp_path, options=ProtocolOptions(frames="listed"))
    task = protocol.task("late")
    assert [path.stem for path in task.frames] == ["00000", "00002", "00004", "00006", "00008"]
    assert [each.begins for each in task.objects] == [0, 2] and task.answers == (0, 1, 2, 3, 4)
    assert "6 fps" in protocol.rate and "30 fps" in YouTubeVosProtocol(tmp_path).rate


def test_labels_are_scored_after_the_given_frame_up_to_the_last_listed_one(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path, labelled=True)
    protocol = YouTubeVosProtocol(tmp_path)
    task = protocol.task("late")
    assert task.labelled and [each.scored for each in task.objects] == [(2, 4, 6, 8), (6, 8)]
    assert protocol.task("plain").objects[0].scored == (2, 4, 6), "meta.json ends a frame earlier"
    assert [each.seen for each in task.objects] == [True, False] and task.objects[1].category == "yak"
    assert task.given(4).numbers() == {5}, "object 2 is in that mask, but began before"
    assert np.array_equal(task.masks.read(4).plane(2), LATE[2] == 2)


def test_seen_categories_may_come_from_a_list(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path, labelled=True)
    (tmp_path / "seen.txt").write_text("yak\n")
    task = YouTubeVosProtocol(tmp_path, options=ProtocolOptions(seen=tmp_path / "seen.txt")).task("late")
    assert [each.seen for each in task.objects] == [False, True]
    (tmp_path / "train/meta.json").unlink()
    assert [each.seen for each in YouTubeVosProtocol(tmp_path).task("late").objects] == [None, None]


def test_a_set_without_meta_json_is_read_from_its_masks(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path, labelled=True)
    (tmp_path / "valid/meta.json").unlink()
    task = YouTubeVosProtocol(tmp_path).task("late")
    assert [(each.id, each.begins, each.scored) for each in task.objects] == [
        (2, 0, (2, 4, 6, 8)),
        (5, 4, (6, 8)),
    ]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path, labelled=True)
    with pytest.raises(
        DataError, match=r"no split 'test' in .*; the splits there are: valid; expected YouTube-VOS"
    ):
        YouTubeVosProtocol(tmp_path, "test")
    (tmp_path / "valid/Annotations/late/00006.png").unlink()
    with pytest.raises(DataError, match=r"'late' lacks the annotations of 1 of 4 frames .*: 00006\.png"):
        YouTubeVosProtocol(tmp_path).task("late")
    meta = json.loads((tmp_path / "valid/meta.json").read_text())
    meta["videos"]["plain"]["objects"]["8"] = {"category": "cat", "frames": ["00000"]}
    (tmp_path / "valid/meta.json").write_text(json.dumps(meta))
    task = YouTubeVosProtocol(tmp_path).task("plain")
    assert [each.id for each in task.objects] == [1]
    assert task.notes == ("plain: meta.json names object 8, but no mask shows it: left out",)
    (tmp_path / "valid/meta.json").write_text("[]")
    with pytest.raises(DataError, match="not a list of YouTube-VOS"):
        YouTubeVosProtocol(tmp_path).names()


def test_two_frames_that_each_begin_an_object_are_no_labels(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path)
    for place in (2, 6, 8):
        (tmp_path / f"valid/JPEGImages/late/{place:05}.jpg").unlink()
    assert not YouTubeVosProtocol(tmp_path).task("late").labelled
