"""Labels of one clip: the teacher tracks it from its first mask, until the clip ends or an object is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import DataError, MaskError
from limpet.core.masks import read_mask, without_void
from limpet.data.footage import FootageClip
from limpet.distillation.label_cache import ClipWriter, LabelCache, LabelledClip
from limpet.distillation.proposals import ProposalConfig, propose_opening
from limpet.results.object_track import LostRule
from limpet.tracking.session import follow
from limpet.tracking.tracker import Tracker
from limpet.video.open import open_video
from limpet.video.video_reader import Frame, VideoReader

Mask = NDArray[np.uint8]
OnFrame = Callable[[int, int | None], None]
GIVEN, PROPOSAL = "given", "proposal"


@dataclass(frozen=True)
class LabelConfig:
    """How clips are labelled.

    >>> LabelConfig(max_size=288, stride=2).least_frames
    5

    max_size: limit on the shorter side of frames and labels in pixels; the teacher sees them at this size.
    stride: every so many frames are followed and kept.
    max_frames: labels end after so many frames of a clip; None sets no limit.
    least_frames: a clip with fewer labels is left out.
    max_gb: of all labels together (10^9 bytes); clips that do not fit are left out.
    quality: of the JPEG frames, 1 to 95.
    lost: labels end where one of the objects is lost.
    proposals: how objects are found where no first mask is given.
    """

    max_size: int = 480
    stride: int = 1
    max_frames: int | None = None
    least_frames: int = 5
    max_gb: float = 10.0
    quality: int = 92
    lost: LostRule = field(default_factory=LostRule)
    proposals: ProposalConfig = field(default_factory=ProposalConfig)

    def __post_init__(self) -> None:
        if self.max_size < 16 or self.stride < 1 or not self.max_gb > 0 or not 1 <= self.quality <= 95:
            raise DataError(
                f"max_size={self.max_size}, stride={self.stride}, max_gb={self.max_gb}, quality={self.quality}; "
                f"expected at least 16 pixels, a stride from 1, more than 0 GB, a quality of 1 to 95"
            )
        if self.least_frames < 2 or (self.max_frames is not None and self.max_frames < self.least_frames):
            raise DataError(
                f"least_frames={self.least_frames}, max_frames={self.max_frames}; expected at least 2 frames, and "
                f"max_frames of at least least_frames"
            )


class LabelPlan(NamedTuple):
    """A clip, its length and hash, and its first mask with the hash of that file ("" where it will be proposed)."""

    clip: FootageClip
    nbytes: int
    sha256_head: str
    mask: Path | None
    mask_sha256: str

    def identity(self) -> tuple[object, ...]:
        """See ``LabelledClip.identity``."""
        return self.nbytes, self.sha256_head, PROPOSAL if self.mask is None else GIVEN, self.mask_sha256


def label_clip(
    tracker: Tracker, plan: LabelPlan, store: LabelCache, config: LabelConfig, on_frame: OnFrame | None
) -> list[str]:
    """Label one clip, and take it into the cache.

    Returns:
        What else to know of it: frames that could not be decoded.

    Raises:
        VideoError, MaskError, DataError: it cannot be labelled, or no longer fits. OutputError: the cache cannot be
            written.
    """
    with open_video(plan.clip.source) as reader, store.writing(config.quality) as part:
        begin, mask = _opening(reader, plan, config)
        first_mask = _reduced_mask(mask, _kept_size(reader.size, config.max_size))
        watch = _Watch(config.lost)
        room = config.max_gb * 1e9 - store.nbytes
        for frame, labels, sure in _followed(reader, begin, first_mask, tracker, config.stride):
            if frame.image is None:
                watch.undecoded += 1
                continue
            part.add(frame.image, labels)
            if part.nbytes > room:
                raise DataError(f"its labels no longer fit into max_gb={config.max_gb:g}; allow more")
            watch.see(frame.index, labels, sure)
            if on_frame is not None:
                on_frame(part.frames, _length(reader, begin, config))
            if watch.lost or part.frames == config.max_frames:
                break
        store.finish(_account(plan, reader, begin, part, watch, config), part)
        failures = [f"{plan.clip.name}: {line}" for line in reader.failures]
    return failures[:1] + [f"{plan.clip.name}: and {len(failures) - 1} more of the like"] * (
        len(failures) > 1
    )


def _opening(reader: VideoReader, plan: LabelPlan, config: LabelConfig) -> tuple[int, Mask]:
    """The index of the first labelled frame, and its mask (H, W) of ids 1..N at the size of the video."""
    if plan.mask is None:
        return propose_opening(reader, config.proposals)
    mask = read_mask(plan.mask)
    if mask.shape != tuple(reader.size):
        raise MaskError(
            f"the first mask {plan.mask} is {mask.shape[0]}x{mask.shape[1]} but the frames are "
            f"{reader.size[0]}x{reader.size[1]} (height x width); draw it on the first frame itself, or resize it"
        )
    return 0, without_void(mask)


def _kept_size(size: tuple[int, int], max_size: int) -> tuple[int, int]:
    scale = min(1.0, max_size / min(size))
    return round(size[0] * scale), round(size[1] * scale)


def _reduced_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    """Nearest neighbour, with the ids renumbered 1..N: the value 255 would mean nothing to training."""
    reduced = _resized(mask, size, cv2.INTER_NEAREST_EXACT)
    ids = np.unique(mask)
    gone = np.setdiff1d(ids, np.append(reduced, np.uint8(0)))
    if gone.size:
        raise MaskError(
            f"object {gone[0]} of the first mask is too small to be seen at {size[0]}x{size[1]}; raise max_size, or "
            f"draw it larger"
        )
    numbered = np.zeros_like(reduced)
    for number, object_id in enumerate(ids[ids > 0], start=1):
        numbered[reduced == object_id] = number
    return numbered


def _followed(
    reader: VideoReader, begin: int, first_mask: Mask, tracker: Tracker, stride: int
) -> Iterator[tuple[Frame, Mask, Mapping[int, float]]]:
    """Each frame that is kept, at the mask's size, with its labels and the confidence of each object."""
    size = first_mask.shape
    frames = (
        frame if frame.image is None else replace(frame, image=_resized(frame.image, size, cv2.INTER_AREA))
        for frame in reader.frames_from(begin)
        if (frame.index - begin) % stride == 0
    )
    for frame, labels, state in follow(reader, first_mask, tracker, frames=frames):
        yield frame, labels, state.confidence if frame.index > begin else {}


def _resized(picture: Mask, size: tuple[int, ...], interpolation: int) -> Mask:
    """A picture or mask (H, W, ...) at another (H, W)."""
    if picture.shape[:2] == size:
        return picture
    return np.asarray(cv2.resize(picture, size[::-1], interpolation=interpolation), np.uint8)


class _Watch:
    """Looks after the objects of one clip: how sure the teacher is, and whether one is lost.

    Attributes:
        lost: what was lost and where, once it is; undecoded: frames without a picture.
    """

    def __init__(self, rule: LostRule) -> None:
        self.lost = ""
        self.undecoded = 0
        self.objects = 0
        self._rule = rule
        self._bad: dict[int, int] = {}
        self._sure: list[float] = []

    def see(self, index: int, labels: Mask, sure: Mapping[int, float]) -> None:
        """A frame that was followed. The first one, whose mask is given, comes without ``sure``."""
        present = np.bincount(labels.ravel(), minlength=256) > 0
        if not sure:
            self.objects = int(present[1:].sum())
            return
        self._sure.append(float(np.mean(list(sure.values()))))
        for object_id, confidence in sure.items():
            bad = not present[object_id] or confidence < self._rule.confidence
            self._bad[object_id] = self._bad.get(object_id, 0) + 1 if bad else 0
        worst = max(self._bad, key=lambda object_id: self._bad[object_id])
        if self._bad[worst] >= self._rule.frames:
            self.lost = f"object {worst} is lost (noticed at frame {index})"

    def good(self, frames: int) -> int:
        """How many of so many frames are worth keeping."""
        return frames - self._rule.frames if self.lost else frames

    def confidence(self, frames: int) -> float:
        """Mean of the frames that are kept, but the first."""
        return round(float(np.mean(self._sure[: frames - 1])), 4) if frames > 1 else 0.0


def _account(
    plan: LabelPlan, reader: VideoReader, begin: int, part: ClipWriter, watch: _Watch, config: LabelConfig
) -> LabelledClip:
    """What is to be kept of what was followed; the rest of ``part`` is removed."""
    followed, length = part.frames, _length(reader, begin, config)
    good = watch.good(followed)
    ended = watch.lost
    if not ended and followed == config.max_frames:
        ended = f"max_frames={config.max_frames}"
    total = length if ended else followed + watch.undecoded
    if good < config.least_frames:
        ended = f"{ended or 'it ends'}; {good} frames are too few, at least {config.least_frames} are needed"
    kept = good if good >= config.least_frames else 0
    part.keep(kept)
    dropped = None if total is None else max(total - kept, 0)
    return LabelledClip(
        plan.clip.name, plan.nbytes, plan.sha256_head, PROPOSAL if plan.mask is None else GIVEN, plan.mask_sha256,
        begin, kept, dropped, watch.objects, watch.confidence(kept), part.nbytes, ended,
    )  # fmt: skip


def _length(reader: VideoReader, begin: int, config: LabelConfig) -> int | None:
    """How many frames are to be followed, as far as the video says."""
    if reader.frame_count is None:
        return None
    return -(-max(reader.frame_count - begin, 0) // config.stride)
