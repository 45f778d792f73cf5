from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import DataError
from limpet.data import ClipConfig, StillsFolder, training_videos
from limpet.data.datasets import SetSampling
from limpet.data.image_cache import ImageCache
from limpet.data.layers import RawClip
from limpet.data.sampling import ClipSampler, draw_frames, max_gap


def _sampler(stills: Path, davis: Path, rank: int = 0, **config: object) -> ClipSampler:
    settings = ClipConfig(frames=3, size=65, **config)  # type: ignore[arg-type]
    photos, videos = StillsFolder(stills).stills, [training_videos(davis, "fit")]
    return ClipSampler(settings, photos, videos, ImageCache(480), ImageCache(640), rank)


def _same(a: RawClip, b: RawClip) -> bool:
    return len(a.layers) == len(b.layers) and all(
        x.label == y.label
        and np.array_equal(x.homography, y.homography)
        and all(np.array_equal(i, j) for i, j in zip(x.images, y.images, strict=True))
        for x, y in zip(a.layers, b.layers, strict=True)
    )


def test_a_clip_is_a_function_of_seed_rank_and_step(stills_root: Path, davis_root: Path) -> None:
    first, again = (_sampler(stills_root, davis_root) for _ in range(2))
    for step in (7, 3, 5):
        first.sample(step)  # what was drawn before makes no difference
    assert _same(first.sample(4, 1, 0.5), again.sample(4, 1, 0.5))
    assert not _same(first.sample(4, 1), first.sample(5, 1))
    assert not _same(first.sample(4, 1), first.sample(4, 0))
    assert not _same(first.sample(4, 1), first.sample(4, 1, attempt=1))
    assert not _same(first.sample(4, 1), _sampler(stills_root, davis_root, rank=1).sample(4, 1))
    assert not _same(first.sample(4, 1), _sampler(stills_root, davis_root, seed=1).sample(4, 1))


def test_the_share_of_video_follows_the_progress(stills_root: Path, davis_root: Path) -> None:
    sampler = _sampler(stills_root, davis_root, video_prob=(0.0, 1.0))

    def share(progress: float) -> float:
        scenes = [sampler.sample(step, 0, progress).layers[0] for step in range(30)]
        return float(np.mean([len(scene.images) > 1 for scene in scenes]))

    assert share(0.0) == 0.0 and share(1.0) == 1.0
    assert 0.2 < share(0.5) < 0.8


def test_labels_are_contiguous_and_few_enough(stills_root: Path, davis_root: Path) -> None:
    sampler = _sampler(stills_root, davis_root, max_objects=2)
    for step in range(40):
        layers = sampler.sample(step).layers
        labels = [layer.label for layer in layers[1:] if layer.label]
        if not layers[0].fill_holes:
            labels += [int(i) for i in np.unique(layers[0].masks[0]) if i]
        assert sorted(labels) == list(range(1, len(labels) + 1))
        assert len(labels) <= 2


def test_clips_vary(stills_root: Path, davis_root: Path) -> None:
    clips = [_sampler(stills_root, davis_root).sample(step) for step in range(80)]
    pasted = [layer for clip in clips for layer in clip.layers[1:]]
    assert {len(clip.layers) for clip in clips} >= {1, 2, 3}
    assert any(layer.label == 0 for layer in pasted)  # distractors that are background
    assert any(clip.layers[0].fill_holes for clip in clips)  # objects lifted from their photo
    assert any(len(layer.images) > 1 for layer in pasted)  # objects of another video
    assert any(np.abs(layer.motion_blur).max() > 1.5 for layer in pasted)


def test_a_crowd_has_many_objects_some_of_which_look_alike(stills_root: Path, davis_root: Path) -> None:
    sampler = _sampler(stills_root, davis_root, crowd_prob=(0.0, 1.0))
    usual, crowds = ([sampler.sample(step, 0, end) for step in range(30)] for end in (0.0, 1.0))
    assert all(
        _same(a, b)
        for a, b in zip(usual, map(_sampler(stills_root, davis_root).sample, range(30)), strict=True)
    )
    assert np.mean([len(clip.layers) for clip in crowds]) > 2 + np.mean([len(clip.layers) for clip in usual])
    assert all(len(clip.layers) <= 13 for clip in crowds)

    def copies(clip: RawClip) -> int:
        sources = [id(layer.images[0].base) for layer in clip.layers[1:] if layer.label]
        boxes = [layer.images[0].__array_interface__["data"] for layer in clip.layers[1:] if layer.label]
        return len(sources) - len(set(zip(sources, boxes, strict=True)))

    assert sum(copies(clip) > 0 for clip in crowds) > 10


def test_one_kind_of_data_is_enough_but_none_is_not(stills_root: Path, davis_root: Path) -> None:
    both = _sampler(stills_root, davis_root)
    caches = ImageCache(480), ImageCache(640)
    config = ClipConfig(frames=3, size=65, video_prob=(0.5, 0.5))
    assert len(ClipSampler(config, both.stills, [], *caches).sample(0).layers[0].images) == 1
    assert len(ClipSampler(config, [], both.videos.sets, *caches).sample(0).layers[0].images) == 3
    with pytest.raises(DataError, match="neither photos nor videos"):
        ClipSampler(config, [], [], *caches)


@pytest.mark.parametrize("max_frame_gap", [1, 3, 50])
def test_gaps_stay_within_the_video_and_the_curriculum(max_frame_gap: int) -> None:
    rng = np.random.default_rng(0)
    directions = set()
    for _ in range(50):
        picks = draw_frames(rng, 20, 4, max_frame_gap)
        gaps = np.diff(picks)
        assert min(picks) >= 0 and max(picks) < 20
        assert np.abs(gaps).min() >= 1 and np.abs(gaps).max() <= max_frame_gap
        assert (gaps > 0).all() or (gaps < 0).all()
        directions.add(bool(gaps[0] > 0))
    assert directions == {True, False}


def test_the_largest_gap_grows_early_and_falls_back_where_that_is_asked_for() -> None:
    plain = ClipConfig(max_frame_gap=(5, 25))
    assert [max_gap(plain, progress) for progress in (0.0, 0.5, 1.0)] == [5, 15, 25]
    curriculum = ClipConfig(max_frame_gap=(5, 25), frame_gap_full=0.4, frame_gap_back=0.9)
    assert [max_gap(curriculum, p) for p in (0.0, 0.2, 0.4, 0.89, 0.9, 1.0)] == [5, 15, 25, 25, 5, 5]


def test_a_short_video_runs_to_and_fro() -> None:
    for seed in range(10):
        picks = draw_frames(np.random.default_rng(seed), 2, 5, 4)
        assert picks in ([0, 1, 0, 1, 0], [1, 0, 1, 0, 1])


def test_frames_of_the_whole_video_are_in_order() -> None:
    rng, spans, directions = np.random.default_rng(0), [], set()
    for _ in range(60):
        picks = draw_frames(rng, 40, 5, None)
        gaps = np.diff(picks)
        assert (gaps > 0).all() or (gaps < 0).all()
        assert min(picks) >= 0 and max(picks) < 40
        directions.add(bool(gaps[0] > 0))
        spans.append(np.ptp(picks))
    assert directions == {True, False} and np.mean(spans) > 20 and max(spans) > 32
    assert draw_frames(rng, 2, 4, None) in ([0, 1, 0, 1], [1, 0, 1, 0])


HARD = {
    "max_zoom": 4.0, "max_rotation": 60.0, "fast_motion_prob": 0.4, "out_of_view_prob": 0.3, "occluder_prob": 0.5,
    "max_brightness_change": 2.0, "split_components": 300, "whole_video_prob": 0.5,
}  # fmt: skip


def test_clips_that_vary_more_have_all_that_other_clips_have(stills_root: Path, davis_root: Path) -> None:
    sampler = _sampler(stills_root, davis_root, crowd_prob=(0.3, 0.3), attached_object_prob=0.3, **HARD)
    again = _sampler(stills_root, davis_root, crowd_prob=(0.3, 0.3), attached_object_prob=0.3, **HARD)
    zooms = []
    for step in range(40):
        clip = sampler.sample(step)
        labels = [layer.label for layer in clip.layers[1:] if layer.label]
        if not clip.layers[0].fill_holes:
            labels += [int(i) for i in np.unique(clip.layers[0].masks[0]) if i]
        assert sorted(labels) == list(range(1, len(labels) + 1)) and len(labels) <= 10
        assert all(np.isfinite(layer.homography).all() for layer in clip.layers)
        zooms += [
            np.linalg.det(layer.homography[0] @ np.linalg.inv(layer.homography[-1])) for layer in clip.layers
        ]
        assert step % 10 or _same(clip, again.sample(step))
    logarithms = np.log(np.abs(zooms))
    assert logarithms.max() > 1.5 and logarithms.min() < -1.5


def test_merged_clips_have_the_objects_of_another_clip(stills_root: Path, davis_root: Path) -> None:
    merged = _sampler(stills_root, davis_root, merge_prob=1.0, video_prob=(1, 1))
    plain = _sampler(stills_root, davis_root, video_prob=(1, 1))
    more = [len(merged.sample(step).layers) - len(plain.sample(step).layers) for step in range(20)]
    assert np.mean(more) > 0.5
    off = _sampler(stills_root, davis_root, merge_prob=0.0, video_prob=(1, 1))
    assert all(_same(off.sample(step), plain.sample(step)) for step in range(5))


def test_a_data_set_may_have_a_chance_of_merging_of_its_own(stills_root: Path, davis_root: Path) -> None:
    never = replace(training_videos(davis_root, "fit"), sampling=SetSampling(merge=0.0))
    config = ClipConfig(frames=3, size=65, merge_prob=1.0, video_prob=(1, 1))
    own = ClipSampler(config, [], [never], ImageCache(480), ImageCache(640))
    plain = ClipSampler(replace(config, merge_prob=0.0), [], [never], ImageCache(480), ImageCache(640))
    assert all(_same(own.sample(step), plain.sample(step)) for step in range(5))
    photos = _sampler(stills_root, davis_root, merge_prob=1.0, video_prob=(0, 0))
    assert any(len(photos.sample(step).layers) > 4 for step in range(20)), "photos merge with photos"
