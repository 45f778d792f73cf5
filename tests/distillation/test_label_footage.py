"""A teacher's labels on disk: whole or absent, its own words but for the first mask, and made once."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from networks import lively_model
from PIL import Image
from video.clips import make_clip

import limpet.distillation.label_cache as label_cache
import limpet.distillation.label_clip as label_clip
from limpet.core.errors import DataError, OutputError
from limpet.core.masks import read_ids, write_mask
from limpet.data import ClipConfig, TrainingClips, training_videos
from limpet.data.footage import find_footage
from limpet.distillation.label_footage import LabelConfig, LabelResult, label_footage
from limpet.state import TrackerState
from limpet.tracking.tracker import Tracker

HEIGHT, WIDTH, FRAMES = 48, 64, 8
CONFIG = LabelConfig()


class Teacher(Tracker):
    """Says that everything moves a pixel to the right a frame; ``sure(frame, id)`` is how sure it is."""

    def __init__(self, model: Any) -> None:
        super().__init__(model, precision="fp32", name="teacher", weights_sha256="a" * 64)
        self.sure: Callable[[int, int], float] = lambda frame, number: 0.9
        self.steps = 0
        self.sizes_seen: set[tuple[int, ...]] = set()

    def start(self, frame: np.ndarray, mask: np.ndarray) -> TrackerState:
        self.ids = [int(number) for number in np.unique(mask) if number]
        return TrackerState((), 0, torch.from_numpy(mask.copy()), mask.shape)

    def step(self, frame: np.ndarray, state: TrackerState) -> tuple[np.ndarray, TrackerState]:
        self.steps += 1
        self.sizes_seen.add(frame.shape)
        index, mask = state.frame_index + 1, np.roll(state.mask.numpy(), 1, axis=1)
        sure = {number: self.sure(index, number) for number in self.ids}
        return mask, replace(state, mask=torch.from_numpy(mask), frame_index=index, confidence=sure)


@pytest.fixture(scope="module")
def model() -> Any:
    return lively_model()


@pytest.fixture
def teacher(model: Any) -> Teacher:
    return Teacher(model)


def make_frames(folder: Path, count: int = FRAMES, seed: int = 0) -> Path:
    folder.mkdir(parents=True)
    chance = np.random.default_rng(seed)
    for number in range(count):
        noise = chance.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number:05d}.png")
    return folder


def first_mask(*ids: int) -> np.ndarray:
    """Squares side by side."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for place, number in enumerate(ids):
        mask[10:30, 2 + 14 * place : 12 + 14 * place] = number
    return mask


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Frame folders cat and dog in footage/, and a mask for each in masks/."""
    (tmp_path / "masks").mkdir()
    for seed, name in enumerate(("cat", "dog")):
        make_frames(tmp_path / "footage" / name, seed=seed)
        write_mask(tmp_path / "masks" / f"{name}.png", first_mask(1))
    return tmp_path


def label(place: Path, teacher: Tracker, config: LabelConfig = CONFIG, **options: Any) -> LabelResult:
    footage = find_footage(place / "footage")
    return label_footage(teacher, footage, place / "masks", place / "cache", config, **options)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def labels_of(place: Path, name: str) -> list[np.ndarray]:
    return [read_ids(path) for path in sorted((place / "cache" / "Annotations" / "480p" / name).iterdir())]


def test_labels_are_read_as_any_data_set(place: Path, teacher: Teacher) -> None:
    result = label(place, teacher)
    assert [(c.name, c.frames, c.first_mask, c.dropped, c.confidence) for c in result.clips] == [
        ("cat", FRAMES, "given", 0, 0.9),
        ("dog", FRAMES, "given", 0, 0.9),
    ]
    assert result.skipped == result.notices == ()
    for folder in (result.folder, training_videos(place / "cache", None)):
        assert [(s.name, len(s)) for s in folder.sequences] == [("cat", FRAMES), ("dog", FRAMES)]
        assert folder.skipped == ()
    for number, mask in enumerate(labels_of(place, "cat")):
        assert np.array_equal(mask, np.roll(first_mask(1), number, axis=1))
    clips = TrainingClips(ClipConfig(frames=2, size=33, batch=1, video_prob=(1, 1)), videos=[result.folder])
    assert clips.batch(0).masks[0].any()
    told = json.loads((place / "cache" / "labels.json").read_text())
    assert told["made_with"]["teacher"]["weights_sha256"] == "a" * 64
    assert sum(clip["size"] for clip in told["clips"].values()) == sum(
        len(data) for name, data in files_of(place / "cache").items() if "480p" in name
    )


def test_of_labelled_footage_only_the_first_mask_is_read(place: Path, teacher: Teacher) -> None:
    root = place / "davis"
    for name in ("cat", "dog"):
        (root / "JPEGImages" / "480p").mkdir(parents=True, exist_ok=True)
        (place / "footage" / name).rename(root / "JPEGImages" / "480p" / name)
        folder = root / "Annotations" / "480p" / name
        folder.mkdir(parents=True)
        for number in range(FRAMES):
            write_mask(folder / f"{number:05d}.png", first_mask(1))
    plain = label_footage(teacher, find_footage(f"{root}:all"), None, place / "plain")
    for path in root.glob("Annotations/480p/*/*.png"):
        if path.stem != "00000":
            path.write_bytes(b"garbage")
    garbage = label_footage(teacher, find_footage(f"{root}:all"), None, place / "garbage")
    assert files_of(place / "plain") == files_of(place / "garbage")
    masks = garbage.folder.sequences[0].masks
    assert np.array_equal(read_ids(masks[0]), first_mask(1))
    assert np.array_equal(
        read_ids(masks[5]), np.roll(first_mask(1), 5, axis=1)
    )  # the teacher's, not the file's
    assert plain.clips[0].first_mask == "given"


def test_a_real_tracker_labels_a_video_file(tmp_path: Path, model: Any) -> None:
    for name in ("footage", "masks"):
        (tmp_path / name).mkdir()
    make_clip(tmp_path / "footage" / "run.mp4", 6)
    write_mask(tmp_path / "masks" / "run_mask.png", first_mask(4, 9))
    never = LabelConfig(lost=label_clip.LostRule(confidence=0, frames=100))
    tracker = Tracker(model, precision="fp32")
    result = label(tmp_path, tracker, never)
    assert result.clips[0].frames == 6 and result.clips[0].objects == 2
    assert np.array_equal(labels_of(tmp_path, "run")[0], first_mask(1, 2))  # ids become 1..N


@pytest.mark.parametrize(("ids", "kept"), [((255,), (1,)), ((3, 255), (1, 0))])
def test_255_is_an_object_only_where_it_is_alone(
    place: Path, teacher: Teacher, ids: tuple[int, ...], kept: tuple[int, ...]
) -> None:
    write_mask(place / "masks" / "cat.png", first_mask(*ids))
    label(place, teacher)
    assert np.array_equal(labels_of(place, "cat")[0], first_mask(*kept))


def test_frames_are_reduced_and_strided(place: Path, teacher: Teacher) -> None:
    result = label(place, teacher, LabelConfig(max_size=24, stride=3, least_frames=2))
    assert teacher.sizes_seen == {(24, 32, 3)}
    assert [clip.frames for clip in result.clips] == [3, 3]  # 0, 3 and 6
    with Image.open(result.folder.sequences[0].frames[2]) as frame:
        assert frame.format == "JPEG" and frame.size == (32, 24)
        wanted = Image.open(place / "footage" / "cat" / "00006.png").resize((32, 24), Image.Resampling.BOX)
        apart = np.asarray(frame.convert("L"), float) - np.asarray(wanted.convert("L"), float)
    assert np.abs(apart).mean() < 6 < np.asarray(wanted.convert("L"), float).std()


def test_labels_end_where_an_object_is_lost(place: Path, teacher: Teacher) -> None:
    write_mask(place / "masks" / "cat.png", first_mask(1, 2))
    bad = (2, 5, 6, 7)  # one bad frame alone is no loss
    teacher.sure = lambda frame, number: 0.2 if number == 2 and frame in bad else 0.8
    result = label(place, teacher)
    cat, dog = result.clips
    assert (cat.frames, cat.dropped, cat.ended) == (5, 3, "object 2 is lost (noticed at frame 7)")
    assert cat.confidence == pytest.approx((3 * 0.8 + 0.5) / 4)
    assert dog.frames == FRAMES
    assert len(labels_of(place, "cat")) == len(result.folder.sequences[0]) == 5
    assert result.notices == ("cat: labels end after 5 frames: object 2 is lost (noticed at frame 7)",)


def test_a_clip_lost_too_soon_is_left_out_and_not_followed_again(place: Path, teacher: Teacher) -> None:
    make_frames(place / "footage" / "ant", count=3)
    write_mask(place / "masks" / "ant.png", first_mask(1))
    result = label(place, teacher)
    assert result.skipped == ("ant: it ends; 3 frames are too few, at least 5 are needed",)
    assert not (place / "cache" / "JPEGImages" / "480p" / "ant").exists()
    teacher.steps = 0
    assert label(place, teacher).skipped == result.skipped and teacher.steps == 0


def test_labels_end_at_max_frames(place: Path, teacher: Teacher) -> None:
    result = label(place, teacher, LabelConfig(max_frames=6))
    assert [(clip.frames, clip.dropped, clip.ended) for clip in result.clips] == [(6, 2, "max_frames=6")] * 2


def test_a_killed_run_goes_on(place: Path, teacher: Teacher) -> None:
    whole = files_of(label(place, teacher).folder.root)
    (place / "cache").rename(place / "whole")

    def kill(done: int, total: int | None) -> None:
        if teacher.steps == 3 * FRAMES:  # in the middle of the second clip
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label(place, teacher, on_frame=kill)
    assert list(json.loads((place / "cache" / "labels.json").read_text())["clips"]) == ["cat"]
    assert not (place / "cache" / ".part").exists()
    # what a run leaves that is killed between moving a clip and noting it
    stale = place / "cache" / "JPEGImages" / "480p" / "dog"
    stale.mkdir()
    (stale / "00099.jpg").touch()
    (place / "cache" / ".part" / "JPEGImages").mkdir(parents=True)
    teacher.steps, told = 0, []
    label(place, teacher, on_clip=lambda *facts: told.append(facts))
    assert teacher.steps == FRAMES - 1 and told == [("cat", 0, 2), ("dog", 1, 2)]
    assert files_of(place / "cache") == whole


@pytest.mark.parametrize("kind", ["teacher", "stride", "mask", "footage"])
def test_what_changed_is_told_and_relabelled_only_when_asked(
    place: Path, teacher: Teacher, kind: str
) -> None:
    label(place, teacher)
    config, message = CONFIG, ""
    if kind == "teacher":
        teacher.weights_sha256 = "b" * 64
        message = r"teacher weights_sha256 was aaaaaaaaaaaa… and is bbbbbbbbbbbb…"
    elif kind == "stride":
        config, message = (
            LabelConfig(stride=2, least_frames=2),
            "settings stride was 1 and is 2, least_frames was 5 and is 2",
        )
    elif kind == "mask":
        write_mask(place / "masks" / "dog.png", first_mask(1, 2))
        message = r"dog \(first mask changed\)"
    else:
        make_frames(place / "other", seed=7)
        (place / "other" / "00000.png").replace(place / "footage" / "dog" / "00000.png")
        message = r"dog \(.*content changed\)"
    before = files_of(place / "cache")
    with pytest.raises(OutputError, match=f"{message}.*use --relabel.*or choose another folder"):
        label(place, teacher, config)
    assert files_of(place / "cache") == before
    teacher.steps = 0
    result = label(place, teacher, config, relabel=True)
    expected = {"teacher": 2 * (FRAMES - 1), "stride": 2 * 3, "mask": FRAMES - 1, "footage": FRAMES - 1}
    assert teacher.steps == expected[kind] and len(result.clips) == 2
    label(place, teacher, config)  # and now it fits


def test_more_footage_joins_and_absent_footage_stays_out(place: Path, teacher: Teacher) -> None:
    label(place, teacher)
    (place / "footage" / "cat").rename(place / "footage" / "eel")
    (place / "masks" / "cat.png").rename(place / "masks" / "eel.png")
    result = label(place, teacher)
    assert [sequence.name for sequence in result.folder.sequences] == ["dog", "eel"]
    assert result.notices[-1].endswith("also holds 1 clips that are not in this footage; they are not used")


def test_one_bad_clip_does_not_stop_the_others(place: Path, teacher: Teacher) -> None:
    (place / "footage" / "broken.mp4").write_bytes(b"not a video")
    make_frames(place / "footage" / "wide")
    write_mask(place / "masks" / "wide.png", np.ones((10, 20), np.uint8))
    (place / "footage" / "notes.txt").touch()
    write_mask(place / "masks" / "broken.png", first_mask(1))
    result = label(place, teacher)
    assert [clip.name for clip in result.clips] == ["cat", "dog"]
    notes, broken, wide = result.skipped
    assert notes.startswith("notes.txt: ") and broken.startswith("broken: ")
    assert "wide.png is 10x20 but the frames are 48x64 (height x width)" in wide


def test_no_clip_left_is_an_error(place: Path, teacher: Teacher) -> None:
    for name in ("cat", "dog"):
        write_mask(place / "masks" / f"{name}.png", np.ones((10, 20), np.uint8))
    with pytest.raises(
        DataError, match=r"none of the 2 clips could be labelled: cat: .*10x20.*; dog: .*10x20"
    ):
        label(place, teacher)
    with pytest.raises(
        DataError, match=r"no first mask of any of the 2 clips; expected cat.png, cat_mask.png"
    ):
        label_footage(teacher, find_footage(place / "footage"), place / "cache", place / "cache")


def test_clips_that_no_longer_fit_are_left_out(place: Path, teacher: Teacher) -> None:
    size = label(place, teacher).clips[0].size
    result = label_footage(
        teacher,
        find_footage(place / "footage"),
        place / "masks",
        place / "small",
        LabelConfig(max_gb=1.5e-9 * size),
    )
    assert [clip.name for clip in result.clips] == ["cat"]
    assert result.skipped[0].startswith("dog: its labels no longer fit into max_gb=")
    assert result.folder.skipped == () and not (place / "small" / "JPEGImages" / "480p" / "dog").exists()
    more = label_footage(teacher, find_footage(place / "footage"), place / "masks", place / "small")
    assert len(more.clips) == 2  # another bound is no other way of labelling


def test_a_full_disk_keeps_what_is_done(
    place: Path, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, mask: np.ndarray) -> None:
        if teacher.steps >= FRAMES:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_mask(path, mask)

    monkeypatch.setattr(label_cache, "write_mask", full)
    with pytest.raises(OutputError, match=r"cache.*no space left.*1 clips are done and kept in .*cache"):
        label(place, teacher)
    monkeypatch.undo()
    teacher.steps = 0
    assert len(label(place, teacher).clips) == 2 and teacher.steps == FRAMES - 1


def test_a_folder_with_other_things_is_refused(place: Path, teacher: Teacher) -> None:
    (place / "cache").mkdir()
    (place / "cache" / "thesis.txt").touch()
    with pytest.raises(OutputError, match=r"is not empty and holds no labels"):
        label(place, teacher, relabel=True)
    (place / "cache" / "labels.json").write_text('{"format": "other"}')
    with pytest.raises(OutputError, match=r"labels.json cannot be used"):
        label(place, teacher)


def test_an_unreadable_frame_is_told_and_left_out(place: Path, teacher: Teacher) -> None:
    (place / "footage" / "cat" / "00004.png").write_bytes(b"garbage")
    result = label(place, teacher)
    assert (result.clips[0].frames, result.clips[0].dropped) == (FRAMES - 1, 1)
    assert len(result.notices) == 1 and result.notices[0].startswith(
        "cat: frame 4 (00004.png) could not be read"
    )


def test_objects_are_proposed_where_no_mask_is_given(
    place: Path, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def propose(reader: Any, config: Any) -> tuple[int, np.ndarray]:
        if reader.name == "dog":
            raise DataError("nothing stands out")
        return 2, first_mask(1)

    monkeypatch.setattr(label_clip, "propose_opening", propose)
    result = label_footage(teacher, find_footage(place / "footage"), None, place / "cache")
    assert [(c.name, c.first_mask, c.first_frame, c.frames) for c in result.clips] == [
        ("cat", "proposal", 2, 6)
    ]
    assert result.skipped == ("dog: nothing stands out",)
    assert result.notices == ("cat: no first mask; one object proposed in frame 2",)
    with pytest.raises(OutputError, match=r"cat \(first mask changed\)"):
        label(place, teacher)


def test_an_object_too_small_for_the_labels_is_told(place: Path, teacher: Teacher) -> None:
    mask = first_mask(1)
    mask[0, 63] = 7  # the middle of no square of 3x3
    write_mask(place / "masks" / "cat.png", mask)
    result = label(place, teacher, LabelConfig(max_size=16, least_frames=2))
    assert result.skipped[0].startswith("cat: object 7 of the first mask is too small to be seen at 16x21")


@pytest.mark.parametrize("wrong", [{"stride": 0}, {"max_gb": 0}, {"least_frames": 1}, {"max_frames": 3}])
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"expected|teaches"):
        LabelConfig(**wrong)
