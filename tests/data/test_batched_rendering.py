"""All clips of a step rendered at once are those of the reference, which renders them one by one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from limpet.data import ClipBatch, ClipConfig, StillsFolder, TrainingClips, training_videos
from limpet.data.batched_rendering import (
    apply_gaussian_blurs,
    apply_motion_blurs,
    keep_visible_batch,
    render_batch,
)
from limpet.data.layers import RawClip
from limpet.data.photometric import apply_motion_blur, apply_photometric, gaussian_blur, normalise
from limpet.data.rendering import render, shrink_factors
from limpet.data.training_clips import keep_visible

CPU = torch.device("cpu")
CONFIG = ClipConfig(
    frames=3, size=65, batch=3, crowd_prob=(0.5, 0.5), attached_object_prob=0.4, min_pixels=20, max_zoom=4.0,
    max_rotation=60.0, fast_motion_prob=0.3, out_of_view_prob=0.2, occluder_prob=0.2,
)  # fmt: skip


@pytest.fixture
def clips(stills_root: Path, davis_root: Path) -> TrainingClips:
    """Rendered one by one."""
    return TrainingClips(CONFIG, StillsFolder(stills_root), [training_videos(davis_root, "fit")])


@pytest.fixture
def together(clips: TrainingClips) -> TrainingClips:
    """The same clips, rendered together."""
    other = copy.copy(clips)
    other.together = True
    return other


@pytest.fixture
def drawn(clips: TrainingClips) -> list[RawClip]:
    """A few clips that show everything there is between them."""
    chosen: list[RawClip] = []
    missing = set(FEATURES)
    for step in range(200):
        clip = clips.sampler.sample(step)
        news = missing & features(clip)
        if news:
            chosen.append(clip)
            missing -= news
        if not missing:
            return chosen
    raise AssertionError(f"no clip shows {missing}")


def test_clips_are_those_of_the_reference(
    clips: TrainingClips, together: TrainingClips, drawn: list[RawClip]
) -> None:
    expected, found = clips.batch(0, drawn=drawn), together.batch(0, drawn=drawn)
    assert found.object_counts == expected.object_counts
    assert found.images.shape == (3, len(drawn), 3, 65, 65) and found.images.is_contiguous()
    assert same_clips(found, expected)


def test_clips_share_their_operations(drawn: list[RawClip]) -> None:
    drawn = drawn[:6]

    def alone() -> None:
        for clip in drawn:
            images, masks = render(clip, CPU)
            keep_visible(masks, 20)
            normalise(apply_photometric(images, clip.photometric))

    def at_once() -> None:
        keep_visible_batch(render_batch(drawn, CPU)[1], 20)

    assert operations(at_once) < 0.75 * operations(alone)


def operations(work: Callable[[], None]) -> int:
    count = 0

    class Count(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal count
            count += not function.is_view  # views cost a GPU nothing
            return function(*args, **(kwargs or {}))

    with Count():
        work()
    return count


def test_a_clip_without_an_object_is_replaced_as_by_the_reference(
    clips: TrainingClips, together: TrainingClips
) -> None:
    full = clips.sampler.sample(0)
    scene, *pasted = full.layers
    nothing = replace(scene, masks=tuple(np.zeros_like(mask) for mask in scene.masks))
    empty = replace(full, layers=(nothing, *(replace(layer, label=0) for layer in pasted)))
    expected, found = clips.batch(0, drawn=[full, empty]), together.batch(0, drawn=[full, empty])
    assert found.object_counts == expected.object_counts and min(found.object_counts) > 0
    assert same_clips(found, expected)


def same_clips(one: ClipBatch, other: ClipBatch) -> bool:
    """A pixel half-way between two may fall to the other one."""
    masks, images = (one.masks != other.masks).float().mean(), (one.images - other.images).abs().max()
    return bool(masks < 1e-4 and images < 5e-3)


FEATURES: dict[str, Callable[[RawClip], bool]] = {
    "a photo": lambda clip: len(clip.layers[0].images) == 1,
    "a video": lambda clip: len(clip.layers[0].images) > 1,
    "an object of a video": lambda clip: any(len(layer.images) > 1 for layer in clip.layers[1:]),
    "filled holes": lambda clip: clip.layers[0].fill_holes,
    "a bend": lambda clip: any(layer.bend is not None for layer in clip.layers),
    "motion blur": lambda clip: any(np.abs(layer.motion_blur).max() > 2 for layer in clip.layers),
    "an object that is shrunk": lambda clip: any(
        shrink_factors(layer).max() > 1 for layer in clip.layers[1:]
    ),
    "an object that becomes small or large": lambda clip: any(
        len(set(shrink_factors(layer).tolist())) > 1 for layer in clip.layers[1:]
    ),
    "a recoloured object": lambda clip: any(layer.colour is not None for layer in clip.layers),
    "many objects": lambda clip: len(clip.layers) > 4,
    "gamma": lambda clip: clip.photometric.gamma != 1.0,
    "blur": lambda clip: bool(clip.photometric.blur.any()),
    "noise": lambda clip: clip.photometric.noise > 0,
}


def features(clip: RawClip) -> set[str]:
    return {name for name, there in FEATURES.items() if there(clip)}


def test_ids_are_closed_up_in_each_clip() -> None:
    masks = torch.zeros(2, 2, 4, 4, dtype=torch.long)
    masks[0, 0, :2], masks[0, 0, 3] = 3, 5
    masks[1, 0, 0, 0], masks[1, 1] = 7, 7
    found, counts = keep_visible_batch(masks, 3)
    assert counts == [2, 0] and found[0, 0].unique().tolist() == [0, 1, 2] and not found[1].any()
    for clip, expected in zip(found, masks, strict=True):
        assert torch.equal(clip, keep_visible(expected, 3)[0])


@pytest.mark.parametrize("seed", range(2))
def test_blurs_are_those_of_the_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = torch.rand(5, 4, 20, 31, generator=torch.Generator().manual_seed(seed))
    deviations = np.array([0.0, 0.4, 1.7, 0.0, 3.4], np.float32)
    assert torch.allclose(
        apply_gaussian_blurs(images, deviations), gaussian_blur(images, deviations), atol=1e-5
    )
    paths = rng.uniform(-14, 14, (5, 2)).astype(np.float32)
    paths[2] = (0.4, -1.2)
    found = apply_motion_blurs(images, paths)
    assert torch.allclose(found, apply_motion_blur(images, paths), atol=1e-5)
    assert torch.equal(found[2], images[2]) and not torch.equal(found[0], images[0])
    still = np.zeros((5, 2), np.float32)
    assert apply_motion_blurs(images, still) is images and apply_gaussian_blurs(images, still[:, 0]) is images
