"""Dynamic merge: another clip's objects lie over a clip in every frame, where they are in their own video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from limpet.data import ClipConfig, TrainingClips, training_videos
from limpet.data.clip_scene import Scene, scene_layer, video_view
from limpet.data.image_cache import LabelledImage
from limpet.data.layers import RawClip, keep_ids, renumber_objects
from limpet.data.merged_clips import merged_layers
from limpet.data.photometric import random_photometric
from limpet.data.rendering import render

from .conftest import COLOURS, draw_mask

CONFIG = ClipConfig(frames=3, size=65, min_pixels=20)


def moving_boxes(shift: int, *ids: int) -> Scene:
    """A video of a red and a green box that move by so many pixels to the right."""
    images = []
    for t in range(CONFIG.frames):
        mask = draw_mask(80, 100, [(10, 10 + t * shift, 40, 40 + t * shift), (45, 10, 75, 40)])
        images.append(LabelledImage(COLOURS[mask], mask))
    return Scene(tuple(images), ids, "video", 0)


def test_all_objects_come_along_and_move_as_in_their_own_video() -> None:
    rng = np.random.default_rng(2)
    layers = merged_layers(rng, moving_boxes(6, 1, 2), CONFIG, energy=1.0, shutter=0.3)
    assert len(layers) == 2 and len({layer.label for layer in layers}) == 2
    moving, still = (layer.homography for layer in layers)
    assert len(layers[0].images) == CONFIG.frames, "each frame shows the object as it is then"
    assert np.allclose(moving[0] - still[0], moving[2] - still[2]), "one camera sees both"


def test_pixels_and_ids_of_the_second_clip_overwrite_those_of_the_first() -> None:
    """Seen by one and the same crop, the boxes hide what is under them in each frame, and nothing else does."""
    below = Scene(tuple(LabelledImage(np.full((80, 100, 3), 255, np.uint8), np.zeros((80, 100), np.uint8))
                        for _ in range(CONFIG.frames)), (), "video", 0)  # fmt: skip
    for seed in range(4):
        rng = np.random.default_rng(seed)
        over = merged_layers(rng, moving_boxes(6, 1, 2), CONFIG, energy=1.0, shutter=0.0)
        base = scene_layer(video_view(rng, below, CONFIG), below.images, keep_ids([]), None, 0.0)
        layers = renumber_objects(rng, [base, *over], 10)
        clip = RawClip(CONFIG.frames, CONFIG.size, tuple(layers), random_photometric(rng, CONFIG.frames, 1.0))
        images, masks = render(clip, torch.device("cpu"))
        assert set(masks.unique().tolist()) == {0, 1, 2}
        coloured = (images - 1).abs().amax(dim=1) > 0.5
        agreement = ((masks > 0) == coloured).float().mean()
        assert agreement > 0.97


def test_an_object_that_the_second_clip_hardly_shows_is_left_out() -> None:
    small = ClipConfig(frames=3, size=65, min_pixels=100_000)
    assert merged_layers(np.random.default_rng(0), moving_boxes(6, 1, 2), small, 1.0, 0.0) == []


def test_photos_move_by_themselves() -> None:
    mask = draw_mask(80, 100, [(10, 10, 60, 70)])
    photo = Scene((LabelledImage(COLOURS[mask], mask),), (1,), "objects")
    (layer,) = merged_layers(np.random.default_rng(0), photo, CONFIG, energy=1.0, shutter=0.0)
    assert len(layer.images) == 1 and not np.allclose(layer.homography[0], layer.homography[2])


def test_training_clips_have_more_objects_and_none_beyond_the_limit(davis_root: Path) -> None:
    videos = [training_videos(davis_root, "fit")]
    settings = {"frames": 2, "size": 65, "batch": 8, "video_prob": (1.0, 1.0), "max_objects": 3}
    plain, merged = (
        TrainingClips(ClipConfig(**settings, merge_prob=prob), videos=videos)  # type: ignore[arg-type]
        for prob in (0.0, 1.0)
    )
    counts = [
        np.mean([np.mean(clips.batch(step).object_counts) for step in range(3)]) for clips in (plain, merged)
    ]
    assert counts[1] > counts[0] + 0.3
    assert max(max(merged.batch(step).object_counts) for step in range(3)) <= 3
