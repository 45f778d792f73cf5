"""Calibration of a tracker's confidence: its soft IoU on labelled clips, against the true IoU there.

A tracker that never fails shows nothing about failure. So each video is also tracked through a cut: the scene changes
to another video and back, as it does when the object leaves and others appear. Clips made of photos add fast motion
and objects that cross. Each kind of clip has the same weight.

Frames are uint8 (H, W, 3) RGB, masks uint8 (H, W) of ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.calibration import Calibration, log_odds
from limpet.core.errors import DataError
from limpet.core.masks import read_annotation
from limpet.data import ClipConfig, StillsFolder, TrainingClips, VideoSequence
from limpet.data.photometric import denormalise
from limpet.evaluation.metrics import region_similarity
from limpet.evaluation.reliability import balanced, fit_platt_scaling
from limpet.tracking.tracker import Tracker

Image8 = NDArray[np.uint8]
SEED = 7_100_003
"""Seed of the clips made of photos; no training uses it by default."""
PLAIN, CUT, PHOTOS = "video", "video with a cut", "clips of photos"


@dataclass(frozen=True)
class CalibrationClip:
    """A few frames with their true masks, and what kind of clip it is."""

    kind: str
    name: str
    frames: Sequence[Image8]
    masks: Sequence[Image8]


@dataclass(frozen=True)
class ObservedMask:
    """One mask of the tracker: its soft IoU, its true IoU, and the kind of clip that it comes from."""

    kind: str
    soft_iou: float
    iou: float


def calibration_clips(
    videos: Sequence[VideoSequence], stills: StillsFolder | None, *, count: int = 40, frames: int = 15
) -> list[Callable[[], CalibrationClip]]:
    """Clips to calibrate on, each made when it is called.

    Args:
        videos: labelled videos that the model may know; never those that it is scored on.
        stills: photos with masks, or None.
        count: clips of each kind; the first so many videos are taken.
        frames: of each clip; a long video is thinned evenly.
    """
    chosen = list(videos)[:count]
    makers: list[Callable[[], CalibrationClip]] = [partial(plain_clip, video, frames) for video in chosen]
    if len(chosen) > 1:
        makers += [partial(cut_clip, one, other, frames) for one, other in pairwise([*chosen, chosen[0]])]
    if stills is not None:
        clips = TrainingClips(ClipConfig(frames=8, size=257, batch=1, seed=SEED), stills)
        makers += [partial(photo_clip, clips, number) for number in range(count)]
    return makers


def plain_clip(video: VideoSequence, frames: int) -> CalibrationClip:
    """The whole video in at most ``frames`` frames, evenly spread."""
    return CalibrationClip(PLAIN, video.name, *_load(video, _spread(len(video), frames)))


def cut_clip(video: VideoSequence, other: VideoSequence, frames: int) -> CalibrationClip:
    """A third of the frames of ``video``, a third of ``other``, where no object is, and a third of ``video``."""
    third = max(1, frames // 3)
    images, masks = _load(video, _spread(len(video), 2 * third))
    between, _ = _load(other, _spread(len(other), third))
    height, width = images[0].shape[:2]
    fitted = [np.asarray(cv2.resize(image, (width, height)), np.uint8) for image in between]
    middle = min(third, len(images))
    empty = [np.zeros_like(masks[0])] * len(fitted)
    return CalibrationClip(
        CUT,
        f"{video.name}, {other.name}",
        [*images[:middle], *fitted, *images[middle:]],
        [*masks[:middle], *empty, *masks[middle:]],
    )


def photo_clip(clips: TrainingClips, number: int) -> CalibrationClip:
    """CalibrationClip ``number`` made of photos, with the strongest motion of the training."""
    batch = clips.batch(number, progress=1.0)
    images = denormalise(batch.images[:, 0]).mul(255).round().clamp(0, 255).byte().permute(0, 2, 3, 1)
    frames = [np.ascontiguousarray(image.cpu().numpy()) for image in images]
    return CalibrationClip(
        PHOTOS, f"{number}", frames, [mask.byte().cpu().numpy() for mask in batch.masks[:, 0]]
    )


def observe(tracker: Tracker, clip: CalibrationClip) -> Iterator[ObservedMask]:
    """Track a clip and yield every mask that is not empty.

    Raises:
        ValueError: the tracker has a calibration, so that its confidence is not a soft IoU.
    """
    if tracker.calibration is not None:
        raise ValueError(
            "the tracker has a calibration already, so that its confidence is not a soft IoU; load it without"
        )
    if not clip.masks[0].any():
        return
    state = tracker.start(clip.frames[0], clip.masks[0])
    for frame, truth in zip(clip.frames[1:], clip.masks[1:], strict=True):
        mask, state = tracker.step(frame, state)
        for number, soft_iou in state.confidence.items():
            if (found := mask == number).any():
                yield ObservedMask(clip.kind, soft_iou, region_similarity(truth == number, found))


def calibrate(seen: Sequence[ObservedMask]) -> Calibration:
    """The calibration that fits what was seen, every kind of clip counting the same.

    Raises:
        DataError: too little was seen, or nothing that goes wrong.
    """
    if not seen:
        raise DataError("no mask was seen; give videos or photos with objects")
    slope, offset = fit_platt_scaling(
        [log_odds(each.soft_iou) for each in seen],
        [each.iou for each in seen],
        balanced([each.kind for each in seen]),
    )
    return Calibration(round(slope, 4), round(offset, 4))


def _spread(length: int, count: int) -> list[int]:
    """At most ``count`` of ``length`` frames at even distances, from the first on."""
    step = max(1, -(-length // count))
    return list(range(0, length, step))


def _load(video: VideoSequence, places: Sequence[int]) -> tuple[list[Image8], list[Image8]]:
    images, masks = [], []
    for place in places:
        images.append(video.frame(place))
        masks.append(read_annotation(video.masks[place]))
    return images, masks
