from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from limpet.core.errors import DataError
from limpet.data import ClipConfig, StillsFolder, TrainingClips, training_videos
from limpet.data.training_clips import keep_visible
from tests.data.conftest import draw_mask, save_pair

CONFIG = ClipConfig(frames=3, size=65, batch=2)


def _clips(stills: Path, davis: Path, config: ClipConfig = CONFIG) -> TrainingClips:
    return TrainingClips(config, StillsFolder(stills), [training_videos(davis, "fit")])


def test_batches_keep_the_contract(stills_root: Path, davis_root: Path) -> None:
    clips = _clips(stills_root, davis_root)
    for step in range(25):
        batch = clips.batch(step, step / 25)
        assert batch.images.shape == (3, 2, 3, 65, 65) and batch.images.dtype == torch.float32
        assert batch.masks.shape == (3, 2, 65, 65) and batch.masks.dtype == torch.int64
        assert float(batch.images.min()) > -2.2 and float(batch.images.max()) < 2.7
        assert torch.isfinite(batch.images).all()
        for sample, count in enumerate(batch.object_counts):
            sizes = torch.bincount(batch.masks[0, sample].flatten(), minlength=count + 1)
            assert 1 <= count <= 10 and len(sizes) == count + 1
            assert (sizes[1:] >= CONFIG.min_pixels).all()
            assert int(batch.masks[:, sample].max()) <= count


def test_a_resumed_training_sees_the_same_clips(stills_root: Path, davis_root: Path) -> None:
    straight, resumed = (_clips(stills_root, davis_root) for _ in range(2))
    batches = [straight.batch(step, 0.5) for step in range(4)]
    again = resumed.batch(3, 0.5)
    assert torch.equal(again.images, batches[3].images) and torch.equal(again.masks, batches[3].masks)
    assert again.object_counts == batches[3].object_counts
    assert not torch.equal(batches[2].images, batches[3].images)


def test_a_pickled_copy_makes_the_same_clips_without_taking_images_along(
    stills_root: Path, davis_root: Path
) -> None:
    clips = _clips(stills_root, davis_root)
    batches = [clips.batch(step, 0.5) for step in range(3)]
    data = pickle.dumps(clips)
    assert clips.nbytes > 500_000 > 100_000 > len(data)
    copy = pickle.loads(data)
    assert copy.nbytes == 0
    again = copy.batch(2, 0.5)
    assert torch.equal(again.images, batches[2].images) and torch.equal(again.masks, batches[2].masks)


def test_each_process_sees_other_clips(stills_root: Path, davis_root: Path) -> None:
    stills, videos = StillsFolder(stills_root), [training_videos(davis_root, "fit")]
    first, second = (TrainingClips(CONFIG, stills, videos, rank=rank).batch(0) for rank in (0, 1))
    assert not torch.equal(first.images, second.images)


def test_small_objects_are_erased_everywhere_and_gaps_closed() -> None:
    masks = torch.zeros(2, 20, 20, dtype=torch.int64)
    masks[0, :5, :2] = 1  # 10 pixels: too small, and bigger later
    masks[1, :10, :10] = 1
    masks[:, 10:, 10:] = 4
    masks[1, :10, 10:] = 2  # shows up after frame 0
    masks[:, 10:, :10] = 7
    kept, count = keep_visible(masks, 50)
    assert count == 2
    assert kept.unique().tolist() == [0, 1, 2]
    assert (kept[:, 10:, 10:] == 1).all() and (kept[:, 10:, :10] == 2).all() and not kept[:, :10].any()


def test_damaged_pictures_are_left_out_counted_and_named(stills_root: Path, davis_root: Path) -> None:
    image = stills_root / "images" / "horse_b.jpg"
    image.write_bytes(image.read_bytes()[:700])  # the header is fine, the pixels are cut off
    clips = _clips(stills_root, davis_root, replace(CONFIG, video_prob=(0.0, 0.0)))
    assert clips.skipped == []
    first = [clips.batch(step).images for step in range(6)]
    assert len(clips.skipped) == 1 and clips.skipped[0].startswith("images/horse_b.jpg: ")
    # once known, the damage makes no difference to what is drawn
    assert all(torch.equal(clips.batch(step).images, first[step]) for step in range(6))


def test_when_no_picture_can_be_read_the_error_says_so(stills_root: Path) -> None:
    for image in (stills_root / "images").iterdir():
        image.write_bytes(image.read_bytes()[:700])
    clips = TrainingClips(CONFIG, StillsFolder(stills_root))
    with pytest.raises(DataError, match=r"no usable clip in 20 draws at step 0: the images are unreadable"):
        clips.batch(0)


def test_when_all_objects_are_too_small_the_error_says_so(tmp_path: Path) -> None:
    mask = draw_mask(400, 400, [(200, 200, 217, 217)])  # 289 pixels, about ten in the clip
    save_pair(tmp_path / "images" / "a.jpg", tmp_path / "masks" / "a.png", mask)
    clips = TrainingClips(replace(CONFIG, size=33), StillsFolder(tmp_path))
    with pytest.raises(DataError, match=r"no clip with an object of 50 pixels or more in 20 attempts"):
        clips.batch(0)


def test_real_videos_make_clips(shared: Path) -> None:
    root = shared / "data"
    clips = TrainingClips(
        ClipConfig(frames=3, size=129, batch=2, video_prob=(0.5, 0.5)),
        None,
        [training_videos(root / "multi_object", None)],
    )
    batch = clips.batch(0)
    assert min(batch.object_counts) >= 1
    assert any("street-44-objects" in line for line in clips.skipped)
    assert 0.3 < float(batch.images.std()) < 3.0
