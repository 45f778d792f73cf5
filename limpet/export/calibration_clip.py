"""The clip that int8 is calibrated on, and the inputs of both graphs along it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from limpet.core.errors import MaskError, VideoError
from limpet.core.groups import check_mask, into_slots, object_ids
from limpet.core.masks import read_mask
from limpet.demo.demo_clip import demo_video, first_mask
from limpet.export.program import FRAME_OUTPUTS, Programs
from limpet.runtime.manifest import TensorSpec
from limpet.tracking.processing import prepare_image
from limpet.video.open import open_video

Feeds = list[dict[str, NDArray[np.generic]]]
"""For each call of a graph, an array for each of its inputs."""


@dataclass(frozen=True)
class SampleClip:
    """Frames to calibrate with or to compare on: uint8 (H, W, 3) RGB each, and the first one's mask of ids (H, W)."""

    frames: tuple[NDArray[np.uint8], ...]
    mask: NDArray[np.uint8]
    name: str


MOST_FRAMES = 100
SAMPLES = 16
"""Calls of the step graph that ranges are measured on. More calls hardly widen the ranges, and each keeps its state."""


def read_clip(video: Path | str, mask: Path | str, most: int = MOST_FRAMES) -> SampleClip:
    """The first ``most`` frames of a video and the mask of its first.

    Raises:
        VideoError, MaskError: raised by the readers, or there are fewer than two frames.
    """
    with open_video(video) as reader:
        frames = tuple(frame.image for frame in islice(reader, most) if frame.image is not None)
        if len(frames) < 2:
            raise VideoError(
                f"{video} has fewer than two frames; calibrate with a clip in which something moves"
            )
        return SampleClip(frames, read_mask(mask, reader.size), str(video))


def demo_clip() -> SampleClip:
    """The clip that ships with the package."""
    with open_video(demo_video()) as reader:
        frames = tuple(frame.image for frame in reader if frame.image is not None)
    return SampleClip(frames, first_mask(), "the demo clip")


def fit_clip(clip: SampleClip, size: tuple[int, int] | None) -> SampleClip:
    """The clip at the size (H, W) that a bundle takes; None leaves it."""
    if size is None or clip.mask.shape == size:
        return clip
    frames = tuple(cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA) for frame in clip.frames)
    mask = cv2.resize(clip.mask, size[::-1], interpolation=cv2.INTER_NEAREST)
    return SampleClip(frames, np.asarray(mask, np.uint8), f"{clip.name} at {size[0]}x{size[1]}")  # type: ignore[arg-type]


@torch.inference_mode()
def record_feeds(programs: Programs, clip: SampleClip, samples: int = SAMPLES) -> dict[str, Feeds]:
    """The inputs of ``start`` and ``step``, by the graph's name, at frames that are spread evenly over the clip.

    ``start`` gets the masks that were found there, so that it too sees more than one frame.

    Raises:
        MaskError: the clip's mask has more objects than the graphs have slots, or none.
    """
    start, step, count = programs.start, programs.step, len(clip.frames)
    chosen = set(np.linspace(1, count - 1, min(samples, count - 1)).round().astype(int).tolist())
    given = (_image(clip.frames[0], programs), _slots(clip, programs.config.objects))
    state = dict(zip(_names(start.outputs), start.module(*given), strict=True))
    feeds: dict[str, Feeds] = {"start": [_arrays(start.inputs, given)], "step": []}
    for index, frame in enumerate(clip.frames[1:], start=1):
        inputs = (_image(frame, programs), *(state[name] for name in _names(step.inputs)[1:]))
        found = dict(zip(_names(step.outputs), step.module(*inputs), strict=True))
        if index in chosen:
            feeds["start"].append(_arrays(start.inputs, (inputs[0], found["mask"])))
            feeds["step"].append(_arrays(step.inputs, inputs))
        state |= {name: value for name, value in found.items() if name not in FRAME_OUTPUTS}
    return feeds


def _image(frame: NDArray[np.uint8], programs: Programs) -> Tensor:
    return prepare_image(frame, programs.config.network_size, torch.device("cpu"))


def _slots(clip: SampleClip, most: int) -> Tensor:
    """The clip's mask of ids as slots (1, H, W) uint8. Raises MaskError."""
    check_mask(clip.mask, clip.frames[0].shape[:2])
    ids = object_ids(clip.mask)
    if len(ids) > most:
        raise MaskError(
            f"the mask of {clip.name} has {len(ids)} objects, and --objects {most} are exported; "
            f"draw fewer, or export more"
        )
    return torch.from_numpy(into_slots(clip.mask, ids))[None]


def _names(specs: Sequence[TensorSpec]) -> list[str]:
    return [spec.name for spec in specs]


def _arrays(specs: Sequence[TensorSpec], tensors: Sequence[Tensor]) -> dict[str, NDArray[np.generic]]:
    """The tensors by name, in C order; values that a later frame replaces are not copied."""
    return {
        spec.name: np.ascontiguousarray(tensor.numpy()) for spec, tensor in zip(specs, tensors, strict=True)
    }
