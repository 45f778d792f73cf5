"""Things without a mask cross tracked objects, and the first frame does not show them."""

from __future__ import annotations

import numpy as np
import torch

from limpet.data.clip_scene import Scene, scene_layer
from limpet.data.image_cache import LabelledImage
from limpet.data.layers import CameraView, RawClip
from limpet.data.occluders import occluder_layers
from limpet.data.photometric import PhotometricParams
from limpet.data.rendering import render
from tests.data.conftest import COLOURS, draw_mask

SIZE, FRAMES = 97, 5
NO_CHANGE = PhotometricParams(np.zeros((FRAMES, 3, 4), np.float32), 1.0, np.zeros(FRAMES, np.float32), 0.0, 0)
TABLE = np.arange(256, dtype=np.uint8)


def test_occluders_cross_the_object_after_the_first_frame() -> None:
    mask = draw_mask(SIZE, SIZE, [(35, 35, 65, 65)])
    view = CameraView(SIZE, np.stack([np.eye(3)] * FRAMES))
    scene = scene_layer(view, [LabelledImage(COLOURS[mask], mask)], TABLE, None, 0.0)
    elsewhere = draw_mask(90, 90, [(20, 20, 70, 70)])
    green = LabelledImage(np.full((90, 90, 3), COLOURS[2]), elsewhere)
    whole = int((mask == 1).sum())
    crossed = passed = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        layers = occluder_layers(rng, [scene], view, 0.0, lambda: Scene((green,), (1,), "objects"))
        assert 1 <= len(layers) <= 2 and all(layer.label == 0 for layer in layers)
        images, masks = render(RawClip(FRAMES, SIZE, (scene, *layers), NO_CHANGE), torch.device("cpu"))
        assert np.array_equal(masks[0].numpy(), mask), "the first frame has none"
        assert np.allclose(images[0].permute(1, 2, 0).numpy() * 255, COLOURS[mask], atol=0.5)
        shown = [int((frame == 1).sum()) / whole for frame in masks]
        crossed += min(shown) < 0.85
        passed += min(shown) < 0.85 and shown[-1] > min(shown) + 0.1
        hidden = torch.from_numpy(mask == 1) & (masks == 0)
        if hidden.sum() > 50:  # what covers it is green, not red
            colour = images.permute(1, 0, 2, 3)[:, hidden].mean(1)
            assert colour[1] > 2 * colour[0]
    assert crossed > 25 and passed > 8


def test_without_anything_to_cross_or_to_cut_out_there_is_none() -> None:
    nothing = np.zeros((SIZE, SIZE), np.uint8)
    view = CameraView(SIZE, np.stack([np.eye(3)] * FRAMES))
    picture = LabelledImage(COLOURS[nothing], nothing)
    scene = scene_layer(view, [picture], TABLE, None, 0.0)
    rng = np.random.default_rng(0)
    assert occluder_layers(rng, [scene], view, 0.0, lambda: Scene((picture,), (1,), "objects")) == []
    assert occluder_layers(rng, [scene], view, 0.0, lambda: None) == []
