"""Flow on pictures whose motion is known; cuts and sources that fail give zero flow and say why."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from limpet.core.errors import ModelError
from limpet.core.flow import DISFlow, Flow, GivenFlow, consistent_share, find_flow, flow_between

SIZE = (161, 225)
GRID = (41, 57)


def texture(
    seed: int = 0, size: tuple[int, int] = (400, 500), cells: tuple[int, ...] = (4, 10, 25, 60)
) -> np.ndarray:
    """Noise that is coarse and fine at once, as pictures are; uint8 (H, W, 3)."""
    chance = np.random.default_rng(seed)
    octaves = [
        cv2.resize(
            chance.random((size[0] // cell, size[1] // cell, 3)), size[::-1], interpolation=cv2.INTER_CUBIC
        )
        * cell
        for cell in cells
    ]
    scene = np.sum(octaves, axis=0)
    return ((scene - scene.min()) / (scene.max() - scene.min()) * 255).astype(np.uint8)


def crop(picture: np.ndarray, top: int, left: int) -> np.ndarray:
    return picture[top : top + SIZE[0], left : left + SIZE[1]]


def flow_of(first: np.ndarray, second: np.ndarray, source: object = None) -> Flow:
    source = source or DISFlow()
    return flow_between(source, source.view(first, SIZE), source.view(second, SIZE), SIZE)


@pytest.mark.parametrize("motion", [(0, 0), (12, -20), (-8, 30)])
def test_dis_finds_a_known_motion(motion: tuple[int, int]) -> None:
    """The camera moves, so that what is seen moves by ``motion`` (down, right) from the first frame to the second."""
    scene = texture()
    flow = flow_of(crop(scene, 100, 100), crop(scene, 100 - motion[0], 100 - motion[1]))
    assert flow.problem is None
    assert (flow.planes.shape, flow.planes.dtype) == ((4, *GRID), np.float32)
    inner = flow.planes[:, 12:-12, 12:-12]
    back, forth = inner[:2], inner[2:]
    for plane, way in zip((*back, *forth), (-motion[0], -motion[1], *motion), strict=True):
        assert np.abs(plane - way).mean() < 1, "in pixels of the frame, down first"


def test_dis_finds_an_object_that_moves() -> None:
    first, second = crop(texture(), 0, 0).copy(), crop(texture(), 0, 0).copy()
    thing = texture(seed=5)[:80, :80]
    first[40:120, 60:140] = thing
    second[40:120, 76:156] = thing
    planes = flow_of(first, second).planes
    cells = (slice(65 // 4, 95 // 4), slice(100 // 4, 130 // 4))
    assert np.median(planes[1][cells]) == pytest.approx(-16, abs=2), "it was 16 pixels further left"
    assert np.abs(planes[:2, :, :8]).mean() < 0.5, "the background stays"


def test_frames_of_another_size_are_scaled() -> None:
    scene = texture()
    large = [cv2.resize(crop(scene, 100, left), None, fx=2, fy=2) for left in (100, 88)]
    flow = flow_of(*large)
    assert np.median(flow.planes[3]) == pytest.approx(12, abs=1), "in pixels of what the network sees"


def test_a_cut_gives_no_flow_and_says_so() -> None:
    flow = flow_of(*(crop(texture(seed, cells=(4, 40)), 0, 0) for seed in (1, 2)))
    assert not flow.planes.any()
    assert flow.problem is not None
    assert "of the frame only, as at a cut between scenes" in flow.problem


def test_plain_frames_have_no_motion_and_no_problem() -> None:
    grey = np.full((*SIZE, 3), 128, np.uint8)
    assert flow_of(grey, grey).problem is None


@pytest.mark.parametrize("size", [(16, 208), (33, 33), (49, 17)])
def test_frames_too_small_for_dis_have_no_motion(size: tuple[int, int]) -> None:
    source, frame = DISFlow(), texture()[: size[0], : size[1]]
    flow = flow_between(source, source.view(frame, size), source.view(frame, size), size)
    assert flow.planes.shape == (4, -(-size[0] // 4), -(-size[1] // 4))
    assert not flow.planes.any()


def moved(origin: np.ndarray, target: np.ndarray) -> np.ndarray:
    """8 pixels to the right; the second call of a pair goes the other way."""
    way = 8.0 if origin[0, 0, 0] < target[0, 0, 0] else -8.0
    return np.stack([np.full(SIZE, way), np.zeros(SIZE)])


def test_a_function_gives_right_and_down() -> None:
    source = find_flow(moved)
    assert isinstance(source, GivenFlow)
    dark, light = np.zeros((*SIZE, 3), np.uint8), np.full((*SIZE, 3), 9, np.uint8)
    flow = flow_of(dark, light, source)
    assert flow.problem is None
    assert [float(plane.mean()) for plane in flow.planes] == [0, -8, 0, 8]


def fails(origin: np.ndarray, target: np.ndarray) -> np.ndarray:
    raise RuntimeError("no GPU")


def flat(origin: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.zeros((*SIZE, 2))


def not_finite(origin: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.full((2, *SIZE), np.nan)


def far(origin: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.full((2, *SIZE), 900.0)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (fails, "the flow function fails raised RuntimeError('no GPU')"),
        (flat, "the flow function flat returned the shape (161, 225, 2); expected (2, 161, 225)"),
        (not_finite, "the flow of not_finite is not finite"),
        (far, "the flow of far points 900 pixels far, beyond a frame of 161x225"),
    ],
)
def test_a_function_that_fails_gives_no_flow(function: object, message: str) -> None:
    frame = np.zeros((*SIZE, 3), np.uint8)
    flow = flow_of(frame, frame, find_flow(function))  # type: ignore[arg-type]
    assert not flow.planes.any()
    assert flow.problem is not None and message in flow.problem


def test_sources_by_name() -> None:
    assert find_flow("dis").name == "dis"  # type: ignore[union-attr]
    assert find_flow("match") is None, "the network finds it by itself"
    assert find_flow("none") is None
    with pytest.raises(ModelError, match="flow is 'raft'; expected dis, match, none or a function"):
        find_flow("raft")  # type: ignore[arg-type]


def test_consistent_share() -> None:
    planes = np.zeros((4, 10, 20), np.float32)
    planes[1], planes[3] = 8, -8
    assert consistent_share(planes) == 1
    planes[3, :, 10:] = 30
    assert consistent_share(planes) == pytest.approx(8 / 18), (
        "of the 18 columns that stay in the frame 8 lead back"
    )
    planes[1] = 400
    assert consistent_share(planes) == 1, "nothing stays in the frame"
