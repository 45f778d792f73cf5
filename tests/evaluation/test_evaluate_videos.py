from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import DataError
from limpet.data import VideoSet, evaluation_videos
from limpet.evaluation.evaluate_videos import evaluate_predictions, evaluate_tracker
from limpet.evaluation.metrics import boundary_accuracy, region_similarity

from .tiny import SIZE, Ids, RepeatsFirstMask, box, make_sequence, make_split, moving_box, save_ids


def two_boxes(step: int, second: int = 7) -> Ids:
    """Object 3 moves, the other (7) stands still."""
    return np.maximum(box(2, 2 + step, 6, 8, number=3), box(14, 20, 6, 8, number=second))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "davis"
    make_sequence(root, "one", moving_box(6))
    make_sequence(root, "two", [two_boxes(step) for step in range(5)])
    make_sequence(root, "white", moving_box(4, number=255))
    make_split(root, "dev", ["one", "two"])
    make_split(root, "2016/old", ["two", "white"])
    return root


def save_predictions(folder: Path, dataset: VideoSet, tracker_masks: dict[str, list[Ids]]) -> None:
    for sequence in dataset:
        for path, mask in zip(sequence.masks, tracker_masks[sequence.name], strict=True):
            save_ids(folder / sequence.name / path.name, mask)


def test_first_and_last_frame_are_left_out(root: Path) -> None:
    scores = evaluate_tracker(RepeatsFirstMask(), evaluation_videos(root, "dev"))
    masks = [mask > 0 for mask in moving_box(6)]
    one = scores.objects[0]
    assert (one.sequence, one.object_id) == ("one", 1)
    assert scores.frames["one"] == ("00001", "00002", "00003", "00004")
    assert one.region == tuple(region_similarity(masks[0], mask) for mask in masks[1:5])
    assert one.boundary == tuple(boundary_accuracy(masks[0], mask) for mask in masks[1:5])
    assert scores.steps == 5 + 4 and scores.seconds > 0 and scores.frames_per_second


def test_every_object_is_scored_by_its_own_id(root: Path) -> None:
    tracker = RepeatsFirstMask()
    scores = evaluate_tracker(tracker, evaluation_videos(root, "dev"))
    moving, still = scores.objects[1:]
    assert (moving.object_id, still.object_id) == (3, 7)
    assert moving.region == pytest.approx([(8 - s) / (8 + s) for s in (1, 2, 3)])
    assert still.region == (1.0, 1.0, 1.0) and still.boundary == (1.0, 1.0, 1.0)
    assert np.array_equal(tracker.given[1], two_boxes(0))
    expected = np.mean([o.j.mean for o in scores.objects])  # over objects, not over sequences
    assert scores.j_mean == pytest.approx(expected)
    assert scores.j_and_f == pytest.approx((scores.j_mean + scores.f_mean) / 2)


def test_the_protocol_of_2016_merges_objects(root: Path) -> None:
    tracker = RepeatsFirstMask()
    scores = evaluate_tracker(tracker, evaluation_videos(root, "old"))
    assert [(o.sequence, o.object_id) for o in scores.objects] == [("two", 3), ("white", 255)]
    assert np.array_equal(tracker.given[0], np.where(two_boxes(0) > 0, 3, 0))
    assert scores.objects[0].region[0] == pytest.approx((7 * 6 + 48) / (9 * 6 + 48))
    assert set(np.unique(tracker.given[1])) == {0, 255}


def test_white_masks_are_one_object_without_being_told(root: Path) -> None:
    make_split(root, "w", ["white"])
    scores = evaluate_tracker(RepeatsFirstMask(), evaluation_videos(root, "w"))
    assert [o.object_id for o in scores.objects] == [255]
    assert scores.objects[0].region == pytest.approx([8 / 12, 6 / 14])


def test_void_beside_objects_counts_for_nobody(root: Path) -> None:
    masks = [np.maximum(box(6, 4), box(0, 30, 24, 10, number=255)) for _ in range(3)]
    make_sequence(root, "void", masks)
    make_split(root, "v", ["void"])
    tracker = RepeatsFirstMask()
    scores = evaluate_tracker(tracker, evaluation_videos(root, "v"))
    assert scores.objects[0].object_id == 1 and scores.objects[0].region == (1.0,)
    assert 255 not in tracker.given[0]

    class SpillsIntoVoid(RepeatsFirstMask):
        def step(self, frame: np.ndarray, state: Ids) -> tuple[Ids, Ids]:
            return np.maximum(state, box(0, 30, 24, 10)), state

    assert evaluate_tracker(SpillsIntoVoid(), evaluation_videos(root, "v")).objects[0].region == (1.0,)


def test_an_object_that_leaves_is_scored_on_empty_truth(root: Path) -> None:
    empty = np.zeros(SIZE, np.uint8)
    make_sequence(root, "leaves", [box(6, 4), empty, box(6, 4), empty])
    make_split(root, "l", ["leaves"])
    assert evaluate_tracker(RepeatsFirstMask(), evaluation_videos(root, "l")).objects[0].region == (0.0, 1.0)


def test_ids_that_are_not_scored_are_told(root: Path) -> None:
    masks = [two_boxes(0), two_boxes(0), np.maximum(two_boxes(0), box(2, 30, number=9)), two_boxes(0)]
    make_sequence(root, "late", masks)
    make_split(root, "late", ["late"])

    class Invents(RepeatsFirstMask):
        def step(self, frame: np.ndarray, state: Ids) -> tuple[Ids, Ids]:
            return np.maximum(state, box(0, 36, 2, 2, number=40)), state

    scores = evaluate_tracker(Invents(), evaluation_videos(root, "late"))
    assert scores.notes == (
        "late: annotations hold id 9, not in the first annotation: not scored",
        "late: predictions hold id 40, not in the first annotation: not scored",
    )


def test_a_sequence_without_objects_is_an_error(root: Path) -> None:
    make_sequence(root, "void", [np.zeros(SIZE, np.uint8)] * 3)
    make_split(root, "v", ["void"])
    with pytest.raises(DataError, match="'void': its first annotation holds no object"):
        evaluate_tracker(RepeatsFirstMask(), evaluation_videos(root, "v"))


def test_limits_for_a_quick_look(root: Path) -> None:
    seen: list[tuple[str, int]] = []
    scores = evaluate_tracker(
        RepeatsFirstMask(),
        evaluation_videos(root, "dev"),
        stride=2,
        max_frames=3,
        max_sequences=1,
        on_frame=lambda sequence, index: seen.append((sequence.name, index)),
    )
    assert seen == [("one", 0), ("one", 1), ("one", 2)]
    assert scores.frames == {"one": ("00002",)}
    assert scores.objects[0].region == pytest.approx([6 / 14])
    with pytest.raises(DataError, match="'one' has 2 frames to use; at least 3"):
        evaluate_tracker(RepeatsFirstMask(), evaluation_videos(root, "dev"), stride=5)
    with pytest.raises(DataError, match="nothing was scored"):
        evaluate_tracker(RepeatsFirstMask(), [])


def test_frames_larger_than_their_annotations(root: Path) -> None:
    full = root / "JPEGImages/Full-Resolution/one"
    full.mkdir(parents=True)
    for index in range(6):
        Image.new("RGB", (SIZE[1] * 2, SIZE[0] * 2)).save(full / f"{index:05}.jpg")
    make_split(root, "full", ["one"])
    tracker = RepeatsFirstMask()
    scores = evaluate_tracker(tracker, evaluation_videos(root, "full", "Full-Resolution"))
    assert tracker.given[0].shape == (SIZE[0] * 2, SIZE[1] * 2)
    assert scores.objects[0].region[0] == pytest.approx(8 / 12)


def test_saved_masks_score_the_same(root: Path, tmp_path: Path) -> None:
    dataset = evaluation_videos(root, "dev")
    ran = evaluate_tracker(RepeatsFirstMask(), dataset, save_masks=tmp_path / "saved")
    assert len(list((tmp_path / "saved/one").iterdir())) == 6
    read = evaluate_predictions(tmp_path / "saved", dataset)
    assert read.objects == ran.objects and read.frames == ran.frames
    assert read.frames_per_second is None


def test_one_object_may_be_drawn_with_any_number(root: Path, tmp_path: Path) -> None:
    make_split(root, "o", ["one"])
    dataset = evaluation_videos(root, "o")
    save_predictions(tmp_path / "p", dataset, {"one": [mask * 255 for mask in moving_box(6)]})
    assert evaluate_predictions(tmp_path / "p", dataset).j_and_f == 1.0


def test_missing_predictions_are_counted_and_named(root: Path, tmp_path: Path) -> None:
    dataset = evaluation_videos(root, "dev")
    with pytest.raises(DataError, match="no folder of predictions"):
        evaluate_predictions(tmp_path / "gone", dataset)
    masks = {"one": moving_box(6), "two": [two_boxes(step) for step in range(5)]}
    save_predictions(tmp_path / "p", dataset, masks)
    for name in ("00000", "00004"):  # the first and the last are not needed
        (tmp_path / "p/two" / f"{name}.png").unlink()
    assert evaluate_predictions(tmp_path / "p", dataset).j_and_f == 1.0
    for name in ("00001", "00003"):
        (tmp_path / "p/two" / f"{name}.png").unlink()
    with pytest.raises(
        DataError, match=r"'two' lacks the predictions of 2 of 3 frames .*: 00001.png, 00003.png"
    ):
        evaluate_predictions(tmp_path / "p", dataset)


def test_predictions_of_another_size(root: Path, tmp_path: Path) -> None:
    make_split(root, "o", ["one"])
    dataset = evaluation_videos(root, "o")
    save_predictions(tmp_path / "p", dataset, {"one": [box(2, 2, size=(12, 20))] * 6})
    with pytest.raises(DataError, match=r"00001\.png is 12x20, its annotation 24x40"):
        evaluate_predictions(tmp_path / "p", dataset)


def test_repeating_the_first_mask_scores_what_is_known(shared: Path) -> None:
    scores = evaluate_tracker(RepeatsFirstMask(), evaluation_videos(shared / "data/davis2016", "dev"))
    known = {"bus": 54.6, "hike": 44.3, "mallard-fly": 18.1, "motorbike": 24.8, "swing": 23.0}
    assert {o.sequence: 100 * o.j_and_f for o in scores.objects} == pytest.approx(known, abs=0.06)
    means = [round(100 * value, 1) for value in (scores.j_mean, scores.f_mean, scores.j_and_f)]
    assert means == [36.1, 29.8, 32.9]
