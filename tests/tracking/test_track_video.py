"""`limpet.track` from Python: a folder of frames in, a folder of results out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cli.clips import write_images
from networks import HEIGHT, WIDTH, frames, mask_of, small_tracker
from PIL import Image

from limpet.core.errors import MaskError, OutputError, VideoError, WeightsError
from limpet.core.masks import read_mask, write_mask
from limpet.exchange.formats import write_masks
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence
from limpet.tracking.session import follow
from limpet.tracking.track_video import track
from limpet.tracking.tracker import Tracker
from limpet.video.open import open_video

COUNT = 5


@pytest.fixture(scope="module")
def tracker() -> Tracker:
    return small_tracker()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """A folder of five frames."""
    return write_images(tmp_path / "shots", frames(COUNT), "{:03d}.png")


def tear(shots: Path, index: int) -> None:
    (shots / f"{index:03d}.png").write_bytes(b"torn")


def saved(out: Path) -> list[np.ndarray]:
    """The masks that were written, which may well be empty."""
    return [np.array(Image.open(path)) for path in sorted((out / "masks").iterdir())]


def stepped(tracker: Tracker, later: dict[int, np.ndarray]) -> list[np.ndarray]:
    """What the tracker itself says, step by step."""
    pictures = frames(COUNT)
    state = tracker.start(pictures[0], mask_of(7, 200))
    masks = [mask_of(7, 200)]
    for index, picture in enumerate(pictures[1:], start=1):
        mask, state = tracker.step(picture, state)
        if index in later:
            state = tracker.add(picture, later[index], state)
            mask = state.mask.numpy()
        masks.append(mask)
    return masks


def test_masks_are_those_of_the_tracker(tracker: Tracker, shots: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    result = track(
        shots,
        mask_of(7, 200),
        tmp_path / "out",
        tracker=tracker,
        on_frame=lambda *counts: seen.append(counts),
    )
    expected = stepped(tracker, {})
    assert all(np.array_equal(a, b) for a, b in zip(saved(result.folder), expected, strict=True))
    assert seen == [(done, COUNT) for done in range(1, COUNT + 1)]
    assert (result.frames, result.object_ids) == (COUNT, (7, 200)) and result.frames_per_second > 0
    assert result.failures == result.notices == result.problems == ()


def test_a_later_mask_is_added_where_it_belongs(tracker: Tracker, shots: Path, tmp_path: Path) -> None:
    new = np.zeros((HEIGHT, WIDTH), np.uint8)
    new[40:60, 60:90] = 9
    new[:10, :10] = 7
    write_mask(tmp_path / "new.png", new)
    result = track(shots, mask_of(7, 200), tmp_path / "out", tracker=tracker, add={2: tmp_path / "new.png"})
    masks = saved(result.folder)
    assert all(np.array_equal(a, b) for a, b in zip(masks, stepped(tracker, {2: new}), strict=True))
    assert np.array_equal(masks[2] == 9, new == 9) and np.array_equal(masks[2] == 7, new == 7)
    assert sorted(result.object_ids) == [7, 9, 200]


def test_tracking_begins_at_a_later_frame(tracker: Tracker, shots: Path, tmp_path: Path) -> None:
    """Masks are empty before it; from there on they are those of the video that is cut so that it begins there."""
    tear(shots, 0)
    first, new = mask_of(7, 200), mask_of(9)
    late = track(shots, None, tmp_path / "late", tracker=tracker, add={4: new, 2: first})
    cut = write_images(tmp_path / "cut", frames(COUNT)[2:], "{:03d}.png")
    expected = saved(track(cut, first, tmp_path / "out", tracker=tracker, add={2: new}).folder)
    masks = saved(late.folder)
    assert not any(mask.any() for mask in masks[:2]) and masks[0].shape == first.shape
    assert all(np.array_equal(a, b) for a, b in zip(masks[2:], expected, strict=True))
    assert (late.frames, sorted(late.object_ids), late.problems) == (COUNT, [7, 9, 200], ())
    report = json.loads((late.folder / "report.json").read_text())
    assert list(report["info"]["masks_sha256"]) == ["2", "4"] and report["undecoded_frames"] == [0]


def test_a_first_mask_that_belongs_to_no_picture(tracker: Tracker, shots: Path, tmp_path: Path) -> None:
    """The next one begins; without a next one all masks are empty, and that is a problem."""
    tear(shots, 1)
    masks = {1: mask_of(7), 3: mask_of(9)}
    later = track(shots, None, tmp_path / "a", tracker=tracker, add=masks)
    assert later.object_ids == (9,) and len(later.problems) == 1
    assert later.problems[0] == "the mask for frame 1 was not used: that frame could not be decoded"
    none = track(shots, None, tmp_path / "b", tracker=tracker, add={1: mask_of(7)})
    assert (none.object_ids, none.problems, none.frames) == ((), later.problems, COUNT)
    with pytest.raises(MaskError, match="there is no mask to begin with"):
        track(shots, None, tmp_path / "c", tracker=tracker)


def test_a_mask_for_frame_0_is_the_first_one(tracker: Tracker, shots: Path, tmp_path: Path) -> None:
    given, added = tmp_path / "given", tmp_path / "added"
    track(shots, mask_of(7), given, tracker=tracker, overlay=False)
    track(shots, None, added, tracker=tracker, add={0: mask_of(7)}, overlay=False)
    assert (given / "report.json").read_bytes() == (added / "report.json").read_bytes()


def test_a_mask_from_a_file_and_a_model_on_demand(tracker: Tracker, shots: Path, tmp_path: Path) -> None:
    write_mask(tmp_path / "first.png", mask_of(3))
    result = track(shots, tmp_path / "first.png", tmp_path / "out", tracker=lambda: tracker, overlay=False)
    assert np.array_equal(saved(result.folder)[0], mask_of(3))
    assert not (result.folder / "overlay.mp4").exists()
    report = json.loads((result.folder / "report.json").read_text())
    assert report["complete"] is True and report["source"] == "shots"


def test_a_torn_frame_repeats_the_mask_and_leaves_the_state(
    tracker: Tracker, shots: Path, tmp_path: Path
) -> None:
    tear(shots, 2)
    result = track(shots, mask_of(7, 200), tmp_path / "out", tracker=tracker)
    masks = saved(result.folder)
    assert result.frames == COUNT and np.array_equal(masks[1], masks[2])
    assert [line.split(":")[0] for line in result.failures] == ["frame 2 (002.png) could not be read"]
    pictures = frames(COUNT)
    state = tracker.start(pictures[0], mask_of(7, 200))
    for index in (1, 3, 4):
        expected, state = tracker.step(pictures[index], state)
        assert np.array_equal(masks[index], expected)
    assert result.problems == (), "it is told, and the rest is done"


def test_a_torn_first_frame(tracker: Tracker, shots: Path, tmp_path: Path) -> None:
    tear(shots, 0)
    with pytest.raises(
        VideoError, match="first frame of shots cannot be decoded, and the mask belongs to it"
    ):
        track(shots, mask_of(7), tmp_path / "out", tracker=tracker)
    assert not (tmp_path / "out").exists()


def test_masks_that_no_frame_comes_for(tracker: Tracker, shots: Path, tmp_path: Path) -> None:
    tear(shots, 3)
    result = track(shots, mask_of(7), tmp_path / "out", tracker=tracker, add={3: mask_of(9)})
    assert result.problems == ("the mask for frame 3 was not used: that frame could not be decoded",)
    assert result.object_ids == (7,) and set(result.problems) <= set(result.notices)
    for index, there in ((5, "shots has 5 frames, 0 to 4"), (-1, "shots has 5 frames, 0 to 4")):
        with pytest.raises(MaskError, match=f"a mask is given for frame {index}, but {there}"):
            track(shots, mask_of(7), tmp_path / "other", tracker=tracker, add={index: mask_of(9)})


def no_tracker() -> Tracker:
    raise AssertionError("a model was loaded before the input was known to be good")


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.zeros((HEIGHT, WIDTH), np.uint8), "the mask holds no object"),
        (mask_of(7, height=40), "mask is 40x97 but the frame is 65x97"),
        (mask_of(7).astype(np.int64), "a mask is int64"),
    ],
    ids=["empty", "size", "type"],
)
def test_bad_masks_are_found_before_the_work(
    shots: Path, tmp_path: Path, mask: np.ndarray, words: str
) -> None:
    with pytest.raises(MaskError, match=words):
        track(shots, mask, tmp_path / "out", tracker=no_tracker)
    with pytest.raises(MaskError, match=f"for frame 2: .*{words}"):
        track(shots, mask_of(7), tmp_path / "out", tracker=no_tracker, add={2: mask})
    assert not (tmp_path / "out").exists()


def test_a_folder_in_use_is_found_before_the_work(shots: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="exists and is not empty"):
        track(shots, mask_of(7), shots, tracker=no_tracker)
    assert len(list(shots.iterdir())) == COUNT


def test_a_model_that_cannot_be_loaded_leaves_nothing(shots: Path, tmp_path: Path) -> None:
    def fail() -> Tracker:
        raise WeightsError("no such weights")

    with pytest.raises(WeightsError, match="no such weights"):
        track(shots, mask_of(7), tmp_path / "out", tracker=fail)
    assert not (tmp_path / "out").exists()


def test_an_exception_on_the_way_keeps_what_is_done(tracker: Tracker, shots: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int | None) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        track(shots, mask_of(7), tmp_path / "out", tracker=tracker, on_frame=stop)
    assert len(saved(tmp_path / "out")) == 3
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert (report["complete"], report["frames"]) == (False, 3)


def test_follow_reads_no_further_than_it_is_asked(tracker: Tracker, shots: Path) -> None:
    tear(shots, 4)
    with open_video(shots) as reader:
        steps = follow(reader, mask_of(7), tracker)
        frame, labels, state = next(steps)
        assert frame.index == 0 and np.array_equal(labels, mask_of(7)) and state.object_ids == (7,)
        assert [next(steps)[0].index for _ in range(3)] == [1, 2, 3]
        assert reader.failures == []


def test_masks_of_a_result_can_be_given_again(tracker: Tracker, shots: Path, tmp_path: Path) -> None:
    """A result's own mask of a later frame is a mask like any other."""
    track(shots, mask_of(7, 200), tmp_path / "out", tracker=tracker)
    assert np.array_equal(read_mask(tmp_path / "out/masks/00000.png"), mask_of(7, 200))
    again = track(shots, tmp_path / "out/masks/00000.png", tmp_path / "again", tracker=tracker)
    for one, other in zip(saved(tmp_path / "out"), saved(again.folder), strict=True):
        assert np.array_equal(one, other)


def test_masks_from_files_of_other_programs(tracker: Tracker, shots: Path, tmp_path: Path) -> None:
    def each() -> Iterator[MaskFrame]:
        yield MaskFrame(0, 0.0, mask_of(7))
        yield MaskFrame(2, 0.1, mask_of(200))

    theirs = tmp_path / "theirs.json"
    write_masks(MaskSequence("shots", mask_of(7).shape, {7: "", 200: ""}, each), theirs, "coco")
    track(shots, theirs, tmp_path / "one", tracker=tracker, add={2: theirs})
    track(shots, mask_of(7), tmp_path / "two", tracker=tracker, add={2: mask_of(200)})
    for one, two in zip(saved(tmp_path / "one"), saved(tmp_path / "two"), strict=True):
        assert np.array_equal(one, two)
    with pytest.raises(
        MaskError, match="for frame 1: shots holds no object in frame 1; it has masks of frames 0, 2"
    ):
        track(shots, theirs, tmp_path / "three", tracker=no_tracker, add={1: theirs})
