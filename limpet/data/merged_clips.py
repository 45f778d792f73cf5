"""Dynamic merge: the objects of another clip of the same data set are laid over a clip, in every frame.

Of two videos, the objects of the second move over the first as they do in their own, seen by a crop of its own; of two
photos, each by itself. So clips have more objects, and some of them occlude others (AOT, DeVOS). Copy-paste
(``limpet.data.copy_paste``) differs: it takes one object at a time and moves it by itself.
"""

from __future__ import annotations

import numpy as np

from limpet.data.clip_scene import Scene, photo_view, video_view
from limpet.data.config import ClipConfig
from limpet.data.layers import Layer, cut_out, layer_window, moving_layer
from limpet.data.random_warps import translation

FIRST_LABEL = 1024
"""Ids of merged objects count from here until all objects of a clip are numbered."""


def merged_layers(
    rng: np.random.Generator, other: Scene, config: ClipConfig, energy: float, shutter: float
) -> list[Layer]:
    """The objects of another scene as layers; those that are not in view in frame 0 of it are left out.

    Args:
        energy, shutter: strength of the motion and share of the time that is blurred, as for the scene below.
    """
    layers: list[Layer] = []
    of_video = other.kind == "video"
    view = video_view(rng, other, config) if of_video else photo_view(rng, other, config, energy)
    for number in other.ids:
        thing = cut_out(other.images, [number], config.min_pixels)
        if thing is None:
            continue
        homography = translation(-thing.left, -thing.top) @ view.camera
        label = FIRST_LABEL + number
        if of_video:
            window = layer_window(homography, view.size, *thing.extent)
            blur = np.zeros((config.frames, 2), np.float32)
            layer = Layer(thing.images, thing.masks, homography, None, label, window, None, blur)
            layers += [layer] if min(window[2] - window[0], window[3] - window[1]) >= 4 else []
        else:
            placement = np.linalg.inv(homography[0])
            moving = moving_layer(
                rng, view, thing, placement, energy * 0.8, label, shutter=shutter, config=config
            )
            layers += [moving] if moving is not None else []
    return layers
