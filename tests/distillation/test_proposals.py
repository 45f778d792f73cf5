"""Objects guessed from the first frames: what moves by itself is found, and nothing where nothing does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import DataError
from limpet.distillation.proposals import DEFAULT, border_barrier, propose, propose_opening
from limpet.video.open import open_video

HEIGHT, WIDTH = 120, 160
SMALL = replace(DEFAULT, side=120)
Square = tuple[int, int]
"""Row and column of a corner."""


def texture(seed: int, low: int, high: int, height: int = HEIGHT + 40, width: int = WIDTH + 40) -> np.ndarray:
    """Soft noise, uint8 (height, width, 3)."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    soft = cv2.GaussianBlur(noise, (0, 0), 2).astype(float)
    soft = (soft - soft.min()) / np.ptp(soft)
    return (low + (high - low) * soft).astype(np.uint8)


BACKGROUND, OBJECT = texture(0, 40, 130), texture(1, 150, 250, 30, 30)


def scene(camera: Square, *squares: Square) -> np.ndarray:
    """A part of the background, with a bright square of 30 pixels at each place."""
    row, column = camera
    image = BACKGROUND[row : row + HEIGHT, column : column + WIDTH].copy()
    for top, left in squares:
        image[top : top + 30, left : left + 30] = OBJECT
    return image


def mask_of(*squares: Square) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for top, left in squares:
        mask[top : top + 30, left : left + 30] = True
    return mask


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


@pytest.mark.parametrize("camera", [(0, 0), (3, 6)], ids=["still", "panning"])
def test_what_moves_by_itself_is_found(camera: Square) -> None:
    found = propose(scene((5, 5), (40, 60)), scene((5 + camera[0], 5 + camera[1]), (42, 66)), SMALL)
    assert found.dtype == np.uint8 and found.shape == (HEIGHT, WIDTH)
    assert set(np.unique(found)) == {0, 1}
    assert iou(found > 0, mask_of((40, 60))) > 0.8


def test_two_objects_have_two_ids() -> None:
    found = propose(scene((5, 5), (20, 30), (70, 100)), scene((5, 5), (22, 35), (72, 95)), SMALL)
    assert set(np.unique(found)) == {0, 1, 2}
    for square in ((20, 30), (70, 100)):
        ids = found[mask_of(square)]
        assert iou(found == np.bincount(ids).argmax(), mask_of(square)) > 0.7
    one = propose(
        scene((5, 5), (20, 30), (70, 100)), scene((5, 5), (22, 35), (72, 95)), replace(SMALL, most=1)
    )
    assert set(np.unique(one)) == {0, 1}


@pytest.mark.parametrize("camera", [(5, 5), (8, 11)], ids=["at rest", "only the camera"])
def test_nothing_is_proposed_where_nothing_moves_by_itself(camera: Square) -> None:
    row, column = camera[0] - 5, camera[1] - 5
    assert not propose(scene((5, 5), (40, 60)), scene(camera, (40 - row, 60 - column)), SMALL).any()


def test_what_fills_the_frame_is_no_object() -> None:
    large = [(top, left) for top in (10, 40, 70) for left in (20, 50, 80, 110)]
    moved = [(top + 2, left + 4) for top, left in large]
    frames = scene((5, 5), *large), scene((5, 5), *moved)
    assert not propose(*frames, SMALL).any()


def test_the_same_frames_always_give_the_same() -> None:
    frames = scene((5, 5), (40, 60)), scene((8, 9), (42, 66))
    first = propose(*frames, SMALL)
    cv2.setRNGSeed(99)
    np.random.seed(99)
    assert np.array_equal(first, propose(*frames, SMALL)) and first.any()


def slow_barrier(channel: np.ndarray) -> np.ndarray:
    """Of all ways along rows and columns from the border, by trying every interval of values."""
    best = np.full(channel.shape, np.inf)
    values = np.unique(channel)
    for low in values:
        for high in values[values >= low]:
            inside = ((channel >= low) & (channel <= high)).astype(np.uint8)
            _, parts = cv2.connectedComponents(inside, connectivity=4)
            edge = {*parts[0], *parts[-1], *parts[:, 0], *parts[:, -1]} - {0}
            best[np.isin(parts, list(edge))] = np.minimum(best[np.isin(parts, list(edge))], high - low)
    return best


def test_the_barrier_of_a_pixel_is_the_least_change_on_a_way_to_the_border() -> None:
    channel = np.zeros((12, 14), np.float32)
    channel[3:9, 3:10] = 5  # a plateau, with a pit in it and a spike beside
    channel[5:7, 5:7] = 2
    channel[10, 5] = -3
    assert np.array_equal(border_barrier(channel), slow_barrier(channel))
    noise = np.random.default_rng(0).integers(0, 6, (10, 12)).astype(np.float32)
    apart = border_barrier(noise) - slow_barrier(noise)
    assert (apart >= 0).all() and (apart == 0).mean() > 0.8  # sweeps only come near


def write(folder: Path, frames: list[np.ndarray]) -> Path:
    folder.mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{number:03d}.png")
    return folder


def test_a_later_frame_is_taken_where_nothing_moves_at_first(tmp_path: Path) -> None:
    at_rest = [scene((5, 5), (40, 60))] * 13
    moving = [scene((5, 5), (40 + step, 60 + 3 * step)) for step in range(1, 8)]
    config = replace(SMALL, every=0.5)  # 12 frames: images count as 24 a second
    with open_video(write(tmp_path / "clip", at_rest + moving)) as reader:
        begin, mask = propose_opening(reader, config)
    assert begin == 12 and iou(mask > 0, mask_of((40, 60))) > 0.7
    with (
        open_video(write(tmp_path / "rest", at_rest)) as reader,
        pytest.raises(
            DataError, match=r"no moving object stands out at frame 0; draw a mask .*--first-masks"
        ),
    ):
        propose_opening(reader, config)


def test_a_single_picture_has_no_motion(tmp_path: Path) -> None:
    with (
        open_video(write(tmp_path / "clip", [scene((5, 5), (40, 60))])) as reader,
        pytest.raises(DataError, match=r"stands out in so few frames"),
    ):
        propose_opening(reader, DEFAULT)
