from __future__ import annotations

from pathlib import Path

import numpy as np

from limpet.evaluation.follow_task import TaskFollower
from limpet.evaluation.protocols.sa_v_masklets import SaVProtocol
from limpet.evaluation.protocols.youtube_vos import YouTubeVosProtocol
from limpet.evaluation.video_task import LabelMap

from .tiny import LATE, CopiesMasks, make_sa_v, make_youtube_vos


def test_an_object_that_begins_later_is_added_there(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path)
    tracker, task = CopiesMasks(), YouTubeVosProtocol(tmp_path).task("late")
    frames = list(TaskFollower(tracker, task))
    assert [frame.index for frame in frames] == list(range(9)) and [f.steps for f in frames] == [0] + 8 * [1]
    [(index, mask)] = tracker.added
    assert index == 4 and np.array_equal(mask, np.where(LATE[2] == 5, 5, 0)), (
        "0 is no label: object 2 is not touched"
    )
    shown = [frame.masks.numbers() for frame in frames]
    assert shown == 4 * [{2}] + 5 * [{2, 5}]
    last = frames[-1].masks
    assert isinstance(last, LabelMap) and np.array_equal(last.labels, np.maximum(LATE[0], mask))


def test_frames_before_the_first_object_are_empty(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path)
    (tmp_path / "valid/meta.json").unlink()
    (tmp_path / "valid/Annotations/late/00000.png").unlink()
    frames = list(TaskFollower(CopiesMasks(), YouTubeVosProtocol(tmp_path).task("late")))
    assert [frame.masks.numbers() for frame in frames] == 4 * [set()] + 5 * [{5}]
    assert sum(frame.steps for frame in frames) == 4


def test_where_given_masks_overlap_the_smaller_one_is_kept_whole(tmp_path: Path) -> None:
    make_sa_v(tmp_path)
    follower = TaskFollower(CopiesMasks(), SaVProtocol(tmp_path).task("person"))
    last = list(follower)[-1].masks
    assert (last.plane(1) & last.plane(2)).sum() == 0 and last.plane(2).sum() == 16


def test_objects_followed_apart_may_overlap(tmp_path: Path) -> None:
    make_sa_v(tmp_path)
    frames = list(TaskFollower(CopiesMasks(), SaVProtocol(tmp_path).task("person"), apart=True))
    last = frames[-1].masks
    assert (
        last.plane(1).sum() == 320
        and last.plane(2).sum() == 16
        and (last.plane(1) & last.plane(2)).sum() == 16
    )
    assert sum(frame.steps for frame in frames) == 16 + 12, "the hand begins in the fifth frame"


def test_what_could_not_be_given_is_told(tmp_path: Path) -> None:
    make_sa_v(tmp_path)
    masks = tmp_path / "sav_val/Annotations_6fps/person"
    for place in (0, 4, 8, 12, 16):  # the hand is there from the start, as large as the body
        (masks / f"001/{place:05}.png").write_bytes((masks / f"000/{place:05}.png").read_bytes())
    follower = TaskFollower(CopiesMasks(), SaVProtocol(tmp_path).task("person"))
    list(follower)
    assert "320 pixels of the masks given in frame 00000 belong to several objects" in follower.notes[0]
    assert "nothing is left of the mask given for object 0" in follower.notes[1]
