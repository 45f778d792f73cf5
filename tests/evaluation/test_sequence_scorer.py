"""The rules of scoring, each against the simplest way to compute it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limpet.evaluation.metrics import boundary_accuracy, region_similarity
from limpet.evaluation.protocols.lvos import LvosProtocol
from limpet.evaluation.protocols.mose import MoseProtocol
from limpet.evaluation.protocols.sa_v_masklets import SaVProtocol
from limpet.evaluation.protocols.youtube_vos import YouTubeVosProtocol
from limpet.evaluation.sequence_scorer import SequenceScorer
from limpet.evaluation.video_task import ObjectPlanes

from .tiny import LATE, SIZE, box, make_lvos, make_mose, make_sa_v, make_youtube_vos


def test_late_objects_and_holes_in_ids(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path, labelled=True)
    scorer = SequenceScorer(YouTubeVosProtocol(tmp_path).task("late"))
    for index in range(9):
        scorer.score(index, LATE[2])
    second, fifth = scorer.objects()
    assert (second.object_id, second.frames) == (2, ("00002", "00004", "00006", "00008"))
    assert (fifth.object_id, fifth.frames) == (5, ("00006", "00008"))
    assert second.region == tuple(region_similarity(LATE[i] == 2, LATE[2] == 2) for i in (1, 2, 3, 4))
    assert fifth.boundary == tuple(boundary_accuracy(LATE[i] == 5, LATE[2] == 5) for i in (3, 4))
    assert (second.seen, fifth.seen, fifth.category) == (True, False, "yak") and scorer.notes() == []


def test_absent_objects_count_one_where_nothing_is_found_and_zero_elsewhere(tmp_path: Path) -> None:
    make_mose(tmp_path, labelled=True)
    scorer = SequenceScorer(MoseProtocol(tmp_path).task("gone"))
    here = np.maximum(box(2, 2, number=3), box(14, 20, number=7))
    for index in range(7):
        scorer.score(index, here if index != 3 else np.where(here == 3, 0, here))
    gone, stays = scorer.objects()
    assert gone.region[1:3] == (0.0, 1.0) and gone.boundary[1:3] == (0.0, 1.0)
    assert gone.visible == (True, False, False, True, True) and stays.region == 5 * (1.0,)


def test_lvos_counts_the_given_frame_and_missing_frames_as_zero(tmp_path: Path) -> None:
    make_lvos(tmp_path)
    scorer = SequenceScorer(LvosProtocol(tmp_path).task("old"))
    for index in range(5):
        scorer.score(index, LATE[index])
    first, late = scorer.objects()
    assert first.region == 4 * (1.0,) and late.region == (1.0, 1.0, 0.0) and late.frames[-1] == ""


def test_sa_v_counts_an_object_from_its_first_sight_on(tmp_path: Path) -> None:
    make_sa_v(tmp_path)
    task = SaVProtocol(tmp_path).task("person")
    (tmp_path / "sav_val/Annotations_6fps/person/001/00004.png").write_bytes(
        (tmp_path / "sav_val/Annotations_6fps/person/001/00000.png").read_bytes()
    )  # now the hand is first seen in frame 8

    def frames_of_hand(first_found: int) -> tuple[str, ...]:
        scorer = SequenceScorer(task)
        for index in task.scored:
            hand = task.masks.read(index).plane(2) if index >= first_found else np.zeros(SIZE, bool)
            scorer.score(index, ObjectPlanes({1: task.masks.read(index).plane(1), 2: hand}, SIZE))
        return scorer.objects()[1].frames

    assert frames_of_hand(8) == ("00008", "00012")
    early = SequenceScorer(task)
    for index in task.scored:
        early.score(index, ObjectPlanes({1: task.masks.read(index).plane(1), 2: box(0, 0) > 0}, SIZE))
    assert early.objects()[1].frames == ("00004", "00008", "00012"), "a prediction before it counts too"


def test_an_object_without_a_scored_frame_is_told(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path, labelled=True)
    meta = tmp_path / "valid/meta.json"
    meta.write_text(meta.read_text().replace('"frames": ["00004", "00006", "00008"]', '"frames": ["00004"]'))
    scorer = SequenceScorer(YouTubeVosProtocol(tmp_path).task("late"))
    for index in range(9):
        scorer.score(index, LATE[2])
    assert [each.object_id for each in scorer.objects()] == [2]
    assert scorer.notes() == ["late: object 5 is in no scored frame: not scored"]


def test_strange_ids_are_told(tmp_path: Path) -> None:
    make_mose(tmp_path, labelled=True)
    scorer = SequenceScorer(MoseProtocol(tmp_path).task("gone"))
    scorer.score(1, box(2, 2, number=40))
    assert scorer.notes() == ["gone: predictions hold id 40, not in the first annotation: not scored"]
    assert scorer.objects()[0].region == pytest.approx([0.0])
