"""What a tracker is calibrated on: the clips, what is seen of them, and the fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from networks import small_tracker
from PIL import Image

from limpet.core.calibration import Calibration
from limpet.core.errors import DataError
from limpet.data import VideoSet, training_videos
from limpet.data.photometric import denormalise, normalise
from limpet.training.confidence_calibration import (
    CUT,
    PHOTOS,
    PLAIN,
    CalibrationClip,
    ObservedMask,
    calibrate,
    calibration_clips,
    cut_clip,
    observe,
    plain_clip,
)

from .tiny import make_stills

SIZES = {"one": (48, 64), "two": (40, 80)}


@pytest.fixture
def videos(tmp_path: Path) -> VideoSet:
    """Two videos of seven and eight frames and of different size; a box moves to the right."""
    root = tmp_path / "davis"
    chance = np.random.default_rng(0)
    for name, count in (("one", 7), ("two", 8)):
        for t in range(count):
            mask = np.zeros(SIZES[name], np.uint8)
            mask[8:30, 4 + 2 * t : 30 + 2 * t] = 1
            frame = root / "JPEGImages/480p" / name / f"{t:05d}.jpg"
            truth = root / "Annotations/480p" / name / f"{t:05d}.png"
            for path, pixels in (
                (frame, chance.integers(0, 256, (*mask.shape, 3), dtype=np.uint8)),
                (truth, mask),
            ):
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    return training_videos(root, "all")


def test_a_video_is_thinned_evenly(videos: VideoSet) -> None:
    clip = plain_clip(videos.sequences[0], frames=4)
    assert (clip.kind, clip.name, len(clip.frames)) == (PLAIN, "one", 4)
    assert [int(np.argmax(mask[10])) for mask in clip.masks] == [4, 8, 12, 16], "every second frame"
    assert len(plain_clip(videos.sequences[0], frames=100).frames) == 7


def test_in_a_cut_there_is_no_object(videos: VideoSet) -> None:
    clip = cut_clip(*videos.sequences, frames=6)
    assert clip.kind == CUT and {image.shape[:2] for image in clip.frames} == {SIZES["one"]}
    assert [bool(mask.any()) for mask in clip.masks] == [True, True, False, False, True, True]


def test_each_kind_of_clip(videos: VideoSet, tmp_path: Path) -> None:
    stills = make_stills(tmp_path / "stills")
    made = [make() for make in calibration_clips(videos.sequences, stills, count=2, frames=6)]
    assert [clip.kind for clip in made] == [PLAIN, PLAIN, CUT, CUT, PHOTOS, PHOTOS]
    for clip in made:
        assert len(clip.frames) == len(clip.masks) and clip.masks[0].any()
        assert all(
            frame.dtype == mask.dtype == np.uint8 for frame, mask in zip(clip.frames, clip.masks, strict=True)
        )
    again = [make() for make in calibration_clips([], stills, count=2)]
    for one, other in zip(made[4:], again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one.frames, other.frames, strict=True))
    single = calibration_clips(videos.sequences[:1], None)
    assert [make().kind for make in single] == [PLAIN], "a cut needs another video"


def test_denormalise_undoes_normalise() -> None:
    import torch

    images = torch.rand(2, 3, 5, 6)
    assert torch.allclose(denormalise(normalise(images)), images, atol=1e-6)


def test_what_is_seen_is_soft_iou_and_true_iou(videos: VideoSet) -> None:
    tracker, clip = small_tracker(), plain_clip(videos.sequences[0], frames=4)
    seen = list(observe(tracker, clip))
    state = tracker.start(clip.frames[0], clip.masks[0])
    expected = []
    for frame, truth in zip(clip.frames[1:], clip.masks[1:], strict=True):
        mask, state = tracker.step(frame, state)
        if mask.any():
            both, either = ((mask > 0) & (truth > 0)).sum(), ((mask > 0) | (truth > 0)).sum()
            expected.append(ObservedMask(PLAIN, state.confidence[1], both / either))
    assert seen == expected and seen
    assert (
        list(
            observe(tracker, CalibrationClip(PLAIN, "x", clip.frames, [np.zeros_like(m) for m in clip.masks]))
        )
        == []
    )
    tracker.calibration = Calibration()
    with pytest.raises(ValueError, match="has a calibration already"):
        list(observe(tracker, clip))


def test_the_fit_gives_every_kind_the_same_weight() -> None:
    easy = [ObservedMask(PLAIN, 0.8, 0.9)] * 90 + [ObservedMask(PLAIN, 0.4, 0.5)] * 10
    hard = [ObservedMask(CUT, 0.8, 0.3), ObservedMask(CUT, 0.4, 0.1)]
    together, same_again = calibrate([*easy, *hard]), calibrate([*easy, *hard * 7])
    assert together == same_again
    assert calibrate(easy)(0.8) > together(0.8) > calibrate(hard)(0.8)
    with pytest.raises(DataError, match="no mask was seen"):
        calibrate([])
