from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limpet.core.errors import DataError, LimpetError
from limpet.evaluation.evaluation_folder import EvaluationFolder
from limpet.evaluation.run_evaluation import EvaluationJob, run_evaluation
from limpet.evaluation.video_result import VideoResult

from .tiny import (
    CopiesMasks,
    Ids,
    box,
    make_mose,
    make_sequence,
    make_split,
    make_youtube_vos,
    moving_box,
    save_ids,
)


class Stops(CopiesMasks):
    """Is interrupted in the middle of the second video."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def step(self, frame: Ids, state: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().step(frame, state)


def job(root: Path, out: Path, **changes: Any) -> EvaluationJob:
    return EvaluationJob("youtube-vos", root, make_tracker=CopiesMasks, masks=out / "masks", **changes)


def without_times(results: list[VideoResult]) -> list[dict[str, Any]]:
    return [{**each.as_dict(), "seconds": 0} for each in results]


def test_an_interrupted_evaluation_is_continued_with_an_equal_result(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path / "data", labelled=True)
    whole = run_evaluation(job(tmp_path / "data", tmp_path / "a"), EvaluationFolder(tmp_path / "a", {}))
    folder = EvaluationFolder(tmp_path / "b", {})
    with pytest.raises(KeyboardInterrupt):
        run_evaluation(job(tmp_path / "data", tmp_path / "b"), folder, tracker=Stops(11))
    folder.release()
    assert (tmp_path / "b/videos/late.json").is_file() and not (tmp_path / "b/videos/plain.json").exists()
    done: list[str] = []
    tracker = CopiesMasks()
    again = run_evaluation(
        job(tmp_path / "data", tmp_path / "b"),
        EvaluationFolder(tmp_path / "b", {}),
        tracker=tracker,
        on_video=lambda result: done.append(result.name),
    )
    assert without_times(again) == without_times(whole) and done == ["late", "plain"]
    assert len(tracker.given) == 1, "the first video was not run again"
    masks = [
        sorted(p.relative_to(tmp_path / x) for p in (tmp_path / x / "masks").rglob("*.png")) for x in "ab"
    ]
    assert masks[0] == masks[1] and len(masks[0]) == 10
    third = CopiesMasks()
    run_evaluation(
        job(tmp_path / "data", tmp_path / "a"), EvaluationFolder(tmp_path / "c", {}), tracker=third
    )
    assert len(third.given) == 2


def many_videos(root: Path, change: Callable[[Ids], Ids] = lambda mask: mask) -> None:
    for number in range(4):
        make_sequence(root, f"v{number}", [change(np.roll(mask, number, 0)) for mask in moving_box(4)])
    make_split(root, "val", [f"v{number}" for number in range(4)])


def test_several_processes_find_the_same(tmp_path: Path) -> None:
    many_videos(tmp_path / "data")
    many_videos(tmp_path / "found", lambda mask: np.roll(mask, 1, 1))
    saved = EvaluationJob("davis", tmp_path / "data", "val", predictions=tmp_path / "found/Annotations/480p")
    alone = run_evaluation(saved, EvaluationFolder(tmp_path / "a", {}, keeps_masks=False))
    both = run_evaluation(saved, EvaluationFolder(tmp_path / "b", {}, keeps_masks=False), processes=2)
    assert both == alone and [each.name for each in both] == ["v0", "v1", "v2", "v3"]
    assert 0 < alone[0].objects[0].j.mean < 1


def test_an_error_in_a_process_is_told(tmp_path: Path) -> None:
    many_videos(tmp_path / "data")
    for number in range(4):
        for index in range(4):
            save_ids(tmp_path / f"found/v{number}/{index:05}.png", box(2, 2, size=(12, 20)))
    saved = EvaluationJob("davis", tmp_path / "data", "val", predictions=tmp_path / "found")
    with pytest.raises(LimpetError, match="is 12x20, its annotation 24x40"):
        run_evaluation(saved, EvaluationFolder(tmp_path / "b", {}, keeps_masks=False), processes=2)


def test_predictions_that_changed_are_scored_again(tmp_path: Path) -> None:
    many_videos(tmp_path / "data")
    many_videos(tmp_path / "found", lambda mask: np.roll(mask, 1, 1))
    where = tmp_path / "found/Annotations/480p"
    saved = EvaluationJob("davis", tmp_path / "data", "val", predictions=where)
    folder = EvaluationFolder(tmp_path / "a", {}, keeps_masks=False)
    before = run_evaluation(saved, folder)
    save_ids(where / "v1/00001.png", np.zeros_like(moving_box(1)[0]))
    after = run_evaluation(saved, folder)
    assert after[0] == before[0] and after[1].objects[0].region[0] == 0.0


def test_a_gap_in_the_predictions_is_known_before_the_work(tmp_path: Path) -> None:
    make_mose(tmp_path / "data", labelled=True)
    (tmp_path / "found/gone").mkdir(parents=True)
    saved = EvaluationJob("mose", tmp_path / "data", predictions=tmp_path / "found")
    with pytest.raises(DataError, match="'gone' lacks the predictions of 5 of 5 frames"):
        run_evaluation(saved, EvaluationFolder(tmp_path / "a", {}, keeps_masks=False))


def dies() -> CopiesMasks:
    os._exit(3)


def test_a_process_that_dies_is_told(tmp_path: Path) -> None:
    many_videos(tmp_path / "data")
    dead = EvaluationJob("davis", tmp_path / "data", "val", make_tracker=dies)
    with pytest.raises(LimpetError, match="ended before it was done, perhaps for lack of memory"):
        run_evaluation(dead, EvaluationFolder(tmp_path / "b", {}, keeps_masks=False), processes=2)
