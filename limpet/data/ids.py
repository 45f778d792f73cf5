"""Which ids a clip has: those of its pictures, chosen, and numbered anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from limpet.data.clip import Layer


def table_of(ids: Sequence[int]) -> np.ndarray:
    """uint8 (256,): each of ``ids`` stays as it is, every other becomes background."""
    table = np.zeros(256, np.uint8)
    table[list(ids)] = list(ids)
    return table


def with_labels(rng: np.random.Generator, layers: list[Layer], most: int) -> list[Layer]:
    """Gives the objects the ids 1..N in random order; beyond ``most`` pasted ones become background."""
    scene = layers[0]
    counts = np.bincount(scene.masks[0].ravel(), minlength=256)
    in_scene = [] if scene.fill_holes else [int(i) for i in np.flatnonzero(counts) if i]
    # an id of the scene that only shows up later is nobody's: the table leaves it background
    labels = [*in_scene, *(layer.label for layer in layers[1:] if layer.label)][:most]
    ids = dict(zip(labels, (int(i) + 1 for i in rng.permutation(len(labels))), strict=True))
    if not scene.fill_holes:
        table = np.zeros(256, np.uint8)
        for old in in_scene:
            table[old] = ids.get(old, 0)
        scene = replace(scene, masks=tuple(table[mask] for mask in scene.masks))
    return [scene, *(replace(layer, label=ids.get(layer.label or 0, 0)) for layer in layers[1:])]
