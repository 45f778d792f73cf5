"""Made-up scenes: what three objects in two groups attend to, with and without deformable attention."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from limpet.visual.attention.attention_record import AttentionRecord, CellGrid
from limpet.visual.attention.attention_scene import AttentionScene, FrameView
from limpet.visual.attention.motion_record import MotionRecord, SampledPlaces

CELLS = CellGrid((5, 7))
SIZE = (65, 97)
"""(H, W) of the frames: 16k + 1, so that cell (i, j) lies on pixel (16 i, 16 j)."""


def view(index: int, *ids: int) -> FrameView:
    """A grey frame with objects as columns of 32 pixels, from the left."""
    mask = np.zeros(SIZE, np.uint8)
    for number, object_id in enumerate(ids):
        mask[:, 32 * number : 32 * (number + 1)] = object_id
    return FrameView(index, np.full((*SIZE, 3), 128, np.uint8), mask)


def plain(ids: tuple[int, ...], frames: tuple[int, ...] = (0,), seed: int = 0) -> AttentionRecord:
    """Random attention to the cells of some frames."""
    count = CELLS.size[0] * CELLS.size[1]
    return AttentionRecord(
        ids, CELLS, frames, weights(count, len(frames), count, seed), CELLS.centres()[None], None
    )


def deformed(ids: tuple[int, ...], frames: tuple[int, ...] = (0,), groups: int = 2) -> AttentionRecord:
    """Random attention to six keys a frame, read at other places in each group."""
    points = np.array([(r, c) for r in (1, 3) for c in (1, 3, 5)], np.float32)
    chance = np.random.default_rng(1)
    places = (points + chance.uniform(-1.5, 1.5, (groups, *points.shape))).astype(np.float32)
    places = places.clip(0, np.array(CELLS.size, np.float32) - 1)
    return AttentionRecord(ids, CELLS, frames, weights(35, len(frames), len(points)), places, points)


def weights(queries: int, frames: int, keys: int, seed: int = 0) -> np.ndarray:
    """(queries, frames, keys) float32, the weights of each query add up to 1."""
    found = np.random.default_rng(seed).gamma(0.5, size=(queries, frames, keys)).astype(np.float32)
    return found / found.sum(axis=(1, 2), keepdims=True)


def scene(
    *seen: AttentionRecord, query: tuple[float, float] | None = None, key_panels: int = 1, visible=(1, 2)
) -> AttentionScene:
    """Frame 9 of a clip with the objects 1, 2 and 3, the last of which is not seen unless ``visible`` says so."""
    keys = {index for each in seen for index in each.key_frames}
    views = {index: view(index, 1, 2, 3) for index in keys}
    return AttentionScene(view(9, *visible), seen, views, (1, 2, 3), key_panels, "a model", query)


def coarse(ids: tuple[int, ...], frames: tuple[int, ...] = (0,)) -> AttentionRecord:
    """Random attention to every other cell along each axis."""
    keys = CellGrid((3, 4)).centres()[None] * 2
    return AttentionRecord(ids, CELLS, frames, weights(35, len(frames), 12), keys, None, key_stride=2)


def moving(ids: tuple[int, ...] = (1, 2, 3), flow: tuple[float, float] = (16.0, -32.0)) -> MotionRecord:
    """Flow of (down, right) pixels everywhere to frame 8, and one place for each of two heads on two grids.

    Head 0 reads where flow leads, with three quarters of its attention on the fine grid; head 1 reads cell (0, 0).
    """
    planes = np.ones((2, 17, 25), np.float32) * np.array(flow, np.float32)[:, None, None]
    locations = np.zeros((2, 35, 2, 1, 2), np.float32)
    locations[0, :, :, 0] = (CELLS.centres() + np.array(flow) / 16)[:, None]
    shares = np.broadcast_to(np.array([0.75, 0.25], np.float32)[:, None], (2, 35, 2, 1)).copy()
    return MotionRecord(CELLS, 8, "dis", None, planes, SIZE, (SampledPlaces(ids, locations, shares),))


def moving_scene(
    frames: tuple[int, ...] = (0,),
    visible: tuple[int, ...] = (1,),
    query: tuple[float, float] | None = None,
    motion: MotionRecord | None = None,
) -> AttentionScene:
    """A scene of a model that follows motion, in two grids."""
    made = scene(plain((1, 2, 3), frames), query=query, key_panels=2, visible=visible)
    scales = ((16, made.records), (32, (coarse((1, 2, 3), frames),)))
    views = {**made.views, 8: view(8, 1, 2, 3)}
    return replace(made, views=views, motion=motion or moving(), scales=scales)
