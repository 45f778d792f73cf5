"""Object proposals for a clip without a first mask, made without a network: what moves and differs from the border.

The frame's border is taken for background. A pixel stands out as far as every way to it from the border crosses a
change, in motion (optical flow, what the camera does taken out) and in colour; GrabCut then finds the outline. How good
that is, and what else was tried: docs/labels.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import DataError
from limpet.video.video_reader import ASSUMED_RATE, VideoReader

Image = NDArray[np.uint8]
Map = NDArray[np.float32]
_CROSS = np.ones((3, 3), np.uint8)
_COLOUR_FLOOR = 0.3
_STILL = 0.05  # pixels; optical flow of a scene at rest


@dataclass(frozen=True)
class ProposalConfig:
    """How objects are found.

    side: shorter side of the pictures that are looked at, in pixels.
    gap: seconds from the frame to the one that shows its motion.
    contrast: the motion of the highest hundredth must be so many times the median's, or nothing stands out.
    least_area, most_area: of one object, and of all together, as a share of the frame; what is larger is most often
        background.
    most: objects at most; the one that stands out most is number 1.
    tries, every: so many frames are looked at, ``every`` seconds apart, until something stands out.
    """

    side: int = 180
    gap: float = 1 / 12
    contrast: float = 5.0
    least_area: float = 0.003
    most_area: float = 0.25
    most: int = 3
    tries: int = 4
    every: float = 2.0


DEFAULT = ProposalConfig()


def propose_opening(reader: VideoReader, config: ProposalConfig) -> tuple[int, Image]:
    """The first frame of a video in which something stands out, and what does.

    Returns:
        The frame's index, and uint8 (H, W) with ids 1..N, at most ``config.most``.

    Raises:
        DataError: nothing stands out in any of the frames that are looked at.
    """
    rate = float(reader.frame_rate or ASSUMED_RATE)
    gap, every = max(1, round(config.gap * rate)), max(1, round(config.every * rate))
    looked: list[str] = []
    for begin in range(0, config.tries * every, every):
        pair = _pair(reader, begin, begin + gap)
        if pair is None:
            continue
        looked.append(str(begin))
        mask = propose(*pair, config)
        if mask.any():
            return begin, mask
    where = f"at frame {', '.join(looked)}" if looked else "in so few frames"
    raise DataError(
        f"no first mask is given, and no moving object stands out {where}; draw a mask of its first frame, and give "
        f"the folder it is in with --first-masks"
    )


def propose(frame: Image, later: Image, config: ProposalConfig = DEFAULT) -> Image:
    """What stands out in a frame; the same frames always give the same.

    Args:
        frame, later: uint8 (H, W, 3) RGB, a small time apart.

    Returns:
        uint8 (H, W): ids 1..N from what stands out most to least; all 0 where nothing does.
    """
    image = shrunk(frame, config.side)
    moving = motion(image, shrunk(later, config.side))
    found = np.zeros(image.shape[:2], np.uint8)
    if has_contrast(moving, config):
        score = combined(moving, colour(image))
        found = numbered(outlined(image, score), score, config)
    if np.count_nonzero(found) > config.most_area * found.size:
        found[:] = 0
    height, width = frame.shape[:2]
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def motion(image: Image, later: Image) -> Map:
    """How far each pixel's own motion stands out from the border's, float32 (h, w) in pixels."""
    own = np.asarray(cv2.medianBlur(_without_camera(_flow(image, later)), 5), np.float32)
    return border_barrier(own[..., 0]) + border_barrier(own[..., 1])


def has_contrast(moving: Map, config: ProposalConfig = DEFAULT) -> bool:
    """Whether a little of the frame moves much more than most of it."""
    median, high = np.percentile(moving, (50, 99))
    return bool(high >= config.contrast * (median + _STILL))


def colour(image: Image) -> Map:
    """How far each pixel's colour stands out from the border's, float32 (h, w) 0..1; the middle counts more."""
    lab = cv2.cvtColor(cv2.GaussianBlur(image, (5, 5), 0), cv2.COLOR_RGB2LAB).astype(np.float32)
    barrier = np.sum([border_barrier(lab[..., channel]) for channel in range(3)], axis=0)
    rows, columns = np.mgrid[-1 : 1 : image.shape[0] * 1j, -1 : 1 : image.shape[1] * 1j]
    return scaled(scaled(barrier) * np.exp(-(rows**2 + columns**2) / (2 * 0.6**2)))


def combined(moving: Map, unlike: Map) -> Map:
    """What moves counts for something even where its colour is that of the border; float32 (h, w) 0..1."""
    return scaled(scaled(moving) * (_COLOUR_FLOOR + unlike))


def outlined(image: Image, score: Map) -> NDArray[np.bool_]:
    """Where the score is high, with the outline that the colours suggest (GrabCut)."""
    likely = above_otsu(score)
    if not likely.any() or likely.all():
        return likely
    core = cv2.erode(likely.astype(np.uint8), _CROSS, iterations=2) > 0
    near = cv2.dilate(likely.astype(np.uint8), _CROSS, iterations=max(4, image.shape[0] // 12)) > 0
    labels = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[core & (score > np.quantile(score[likely], 0.6))] = cv2.GC_FGD
    labels[~near] = cv2.GC_BGD
    cv2.setRNGSeed(0)  # GrabCut begins with a random clustering
    inside, outside = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cv2.grabCut(image, labels, (0, 0, 0, 0), outside, inside, 5, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # too few pixels of a kind for its clusters
        return likely
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))


def numbered(found: NDArray[np.bool_], score: Map, config: ProposalConfig = DEFAULT) -> Image:
    """The connected parts that score most, uint8 (h, w); small ones and weak ones are left out."""
    opened = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, _CROSS)
    count, parts, facts, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    large = [p for p in range(1, count) if facts[p, cv2.CC_STAT_AREA] >= config.least_area * opened.size]
    weights = sorted(((float(score[parts == p].sum()), p) for p in large), reverse=True)[: config.most]
    numbers = np.zeros(opened.shape, np.uint8)
    for number, (weight, part) in enumerate(weights, start=1):
        if weight >= 0.35 * weights[0][0]:
            numbers[parts == part] = number
    return numbers


def above_otsu(score: Map) -> NDArray[np.bool_]:
    """The higher of the two classes that part best (Otsu); bool (h, w)."""
    levels = (255 * score).astype(np.uint8)
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)
    above: NDArray[np.bool_] = score > threshold / 255
    return above


def shrunk(image: Image, side: int) -> Image:
    """With a shorter side of at most ``side`` pixels."""
    scale = min(1.0, side / min(image.shape[:2]))
    size = (max(round(image.shape[1] * scale), 16), max(round(image.shape[0] * scale), 16))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def scaled(values: NDArray[np.floating]) -> Map:
    """To 0..1; a few outliers are cut off."""
    low, high = np.percentile(values, (5, 99))
    return np.asarray(np.clip((values - low) / max(high - low, 1e-6), 0, 1), np.float32)


def border_barrier(channel: Map) -> Map:
    """Minimum barrier distance to the border, float32 (h, w).

    The barrier of a path is its highest value less its lowest. Sweeps find the best paths approximately (Zhang et al.,
    "Minimum Barrier Salient Object Detection at 80 FPS", ICCV 2015), here a whole row or column at a time.
    """
    high, low = channel.copy(), channel.copy()
    distance = np.full_like(channel, np.inf)
    distance[[0, -1]] = distance[:, [0, -1]] = 0
    maps = (channel, high, low, distance)
    for _ in range(3):
        _sweep(*maps)
        _sweep(*(values[::-1] for values in maps))
        _sweep(*(values.T for values in maps))
        _sweep(*(values[:, ::-1].T for values in maps))
    return distance


def _sweep(channel: Map, high: Map, low: Map, distance: Map) -> None:
    """Go on from each row to the next, in place."""
    for row in range(1, len(channel)):
        top = np.maximum(high[row - 1], channel[row])
        bottom = np.minimum(low[row - 1], channel[row])
        better = top - bottom < distance[row]
        high[row, better], low[row, better] = top[better], bottom[better]
        distance[row, better] = (top - bottom)[better]


def _flow(image: Image, later: Image) -> Map:
    """Optical flow in pixels (h, w, 2)."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (image, later)]
    method: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(method.calc(*grey, None), np.float32)


def _without_camera(flow: Map) -> Map:
    """What is left of a flow when the homography that most of it follows is taken out."""
    height, width = flow.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    points = np.stack([columns, rows], axis=-1)
    some = (slice(4, -4, 6), slice(4, -4, 6))
    origin, target = points[some].reshape(-1, 2), (points + flow)[some].reshape(-1, 2)
    camera, _ = cv2.findHomography(origin, target, cv2.RANSAC, 1.0)
    if camera is None:
        return flow
    moved = cv2.perspectiveTransform(points.reshape(-1, 1, 2), camera).reshape(height, width, 2)
    own: Map = (flow - (moved - points)).astype(np.float32)
    return own


def _pair(reader: VideoReader, first: int, second: int) -> tuple[Image, Image] | None:
    """Two frames of a video; None unless both are there and can be decoded."""
    found = []
    for frame in reader.frames_from(first):
        if frame.index in (first, second) and frame.image is not None:
            found.append(frame.image)
        if frame.index >= second:
            break
    return (found[0], found[1]) if len(found) == 2 else None
