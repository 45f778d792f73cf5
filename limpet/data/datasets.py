"""The data sets of video that limpet knows, and their videos as training and as evaluation read them.

Training takes what it can use and reports what it left out. Evaluation refuses a split that is incomplete, because a
score over fewer frames is another score.

Shapes: T frames, H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import DataError, MaskError, VideoError
from limpet.core.masks import read_ids
from limpet.core.picture_files import open_image
from limpet.data.layouts import Davis, Mose, PlainFolders, VideoDataset, VideoFolders, YouTubeVos
from limpet.video.image_reader import folder_images

DATASETS: dict[str, type[VideoDataset]] = {
    "davis": Davis,
    "youtube-vos": YouTubeVos,
    "mose": Mose,
    "folders": PlainFolders,
}
"""Every layout that is known, in the order in which they are tried."""


@dataclass(frozen=True)
class VideoSequence:
    """One video: ``frames`` and ``masks`` are equally long, and belong together pairwise.

    Only paths are held; frames and masks are read one at a time, so memory does not grow with the video.

    Args:
        name: unique in its data set.
        frames, masks: T files each.
        one_object: all ids above 0 are one object (the DAVIS-2016 protocol); otherwise the first mask decides.
    """

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path, ...]
    one_object: bool = False

    def __len__(self) -> int:
        return len(self.frames)

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Frame ``index``: uint8 (H, W, 3) RGB.

        Raises:
            DataError: the image cannot be read; names the file.
        """
        return read_frame(self.frames[index])

    def mask(self, index: int) -> NDArray[np.uint8]:
        """Mask ``index``: uint8 (H, W) object ids as stored, 255 included.

        Raises:
            MaskError: the mask cannot be read; names the file.
        """
        return read_ids(self.masks[index])

    def thinned(self, stride: int = 1, max_frames: int | None = None) -> VideoSequence:
        """Every ``stride``-th frame, at most ``max_frames`` of them: a quick look during training.

        Raises:
            DataError: stride is below 1 or max_frames below 3.
        """
        if stride < 1 or (max_frames is not None and max_frames < 3):
            raise DataError(f"stride is {stride} (at least 1), max_frames is {max_frames} (at least 3)")
        part = slice(0, None if max_frames is None else stride * max_frames, stride)
        return VideoSequence(self.name, self.frames[part], self.masks[part], self.one_object)


def read_frame(path: Path) -> NDArray[np.uint8]:
    """A frame of a data set: uint8 (H, W, 3) RGB. Raises DataError where it cannot be read; names the file."""
    try:
        with open_image(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"cannot read the frame {path}: {error}") from error


@dataclass(frozen=True)
class SetSampling:
    """How often training clips come from a data set, see ``limpet.data.video_mixture``.

    repeat: as if it were named so many times, at the start and at the end of the training.
    importance: power of the number of objects; merge: probability of dynamic merge. None takes those of ClipConfig.
    """

    repeat: tuple[float, float] = (1.0, 1.0)
    importance: float | None = None
    merge: float | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for numbers that make no sense."""
        if min(self.repeat) < 0 or not 0 <= (self.importance or 0) <= 4 or not 0 <= (self.merge or 0) <= 1:
            raise ValueError(f"{self}: repeat is 0 or more, importance 0 to 4, merge 0 to 1")


@dataclass(frozen=True)
class VideoSet:
    """The usable videos of one split, in the order of its list.

    Args:
        root: folder of the data set.
        split: its name.
        skipped: one line for every frame or video that is left out: its name and why.
        sampling: how often training draws from it.
    """

    root: Path
    split: str
    sequences: tuple[VideoSequence, ...]
    skipped: tuple[str, ...] = ()
    sampling: SetSampling = SetSampling()

    def __iter__(self) -> Iterator[VideoSequence]:
        return iter(self.sequences)

    def __len__(self) -> int:
        return len(self.sequences)


def find_layout(root: Path) -> type[VideoDataset] | None:
    """The class of the layout that the folder ``root`` has, or None."""
    return next((kind for kind in DATASETS.values() if kind.recognises(root)), None)


def open_dataset(root: Path | str, resolution: str = "480p") -> VideoDataset:
    """The data set at ``root``, in whichever of the known layouts it is.

    Args:
        resolution: which of several sizes to use, where the layout has several (DAVIS: ``480p``, ``Full-Resolution``).

    Raises:
        DataError: there is no such folder, or its layout is not known; the message describes those that are.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; expected the folder of a data set")
    kind = find_layout(root)
    if kind is None:
        known = "; ".join(each.layout for each in DATASETS.values())
        raise DataError(f"{root} is not laid out like a data set; expected one of: {known}")
    return kind(root, resolution)


def training_videos(root: Path | str, split: str | None = None) -> VideoSet:
    """The videos of a split that can teach: those with a mask for at least two frames, and of these frames alone.

    Args:
        root: folder of the data set, in any layout of ``DATASETS``.
        split: as the layout names its splits; None takes every video.

    Returns:
        The usable videos, with one line in ``skipped`` for everything that cannot be used.

    Raises:
        DataError: no data set, no such split, no usable video, or a video in whose masks there is no object.
    """
    dataset = open_dataset(root)
    sequences: list[VideoSequence] = []
    skipped: list[str] = []
    empty: list[str] = []
    for video in dataset.videos(split):
        if video.unusable:
            skipped.append(f"{video.name}: {video.unusable}")
            continue
        try:
            images = frame_files(video)
        except DataError as error:
            skipped.append(f"{video.name}: {error}")
            continue
        pairs, objects = _labelled_frames(video, images, dataset.checks_files, skipped)
        if len(pairs) < 2:
            skipped.append(f"{video.name}: {len(pairs)} usable frames with a mask, at least 2 are needed")
        elif not objects:
            empty.append(video.name)
        else:
            frames, masks = zip(*pairs, strict=True)
            sequences.append(VideoSequence(video.name, frames, masks, video.one_object))
    refuse_empty_masks(dataset.root, empty)
    if not sequences:
        raise nothing_usable("videos with masks", dataset.root, skipped, type(dataset).layout)
    return VideoSet(dataset.root, split or "all", tuple(sequences), tuple(skipped))


def evaluation_videos(root: Path | str, split: str, resolution: str = "480p") -> VideoSet:
    """The videos of a split for scoring; all their files are there.

    Args:
        root: folder of the data set, in any layout of ``DATASETS``.
        split: as the layout names its splits, ``val`` or ``2017/val`` for instance.
        resolution: which of several sizes to use, where the layout has several.

    Raises:
        DataError: there is no data set or split, or a video lacks frames or masks; the message lists what is missing.
    """
    dataset = open_dataset(root, resolution)
    return VideoSet(dataset.root, split, tuple(map(_complete_sequence, dataset.videos(split))))


def why_unusable(image: Path, mask: Path) -> tuple[str, bool]:
    """Why a frame or photo with its mask cannot be used, or "", and whether the mask shows an object.

    The header of the image and the whole mask are read; damage inside the image shows when it is decoded later.
    """
    if not mask.is_file():
        return f"no mask {mask.name}", False
    try:
        with open_image(image) as picture:
            width, height = picture.size
    except (OSError, SyntaxError, ValueError) as error:
        return f"unreadable image ({error})", False
    try:
        ids = read_ids(mask)
    except MaskError as error:
        return f"unusable mask ({error})", False
    if ids.shape != (height, width):
        return f"mask is {ids.shape[0]}x{ids.shape[1]} but the image is {height}x{width}", False
    return "", bool(ids.any())


def refuse_empty_masks(folder: Path, names: list[str]) -> None:
    """Raise a DataError that names what has no object, if there is any."""
    if names:
        shown = ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
        raise DataError(
            f"{len(names)} of the masks in {folder} have no object, only 0 (background): {shown}; "
            "label at least one object with an id from 1, or take these out of the data set"
        )


def nothing_usable(what: str, root: Path, skipped: list[str], layout: str) -> DataError:
    """The error for a data set of which nothing is left."""
    first = f"; {len(skipped)} were skipped, first {skipped[0]}" if skipped else ""
    return DataError(f"no usable {what} in {root}{first}; expected {layout}")


def require_files(paths: tuple[Path, ...], complaint: str) -> None:
    """Raise a DataError that counts the missing files and names the first ones."""
    missing = [path for path in paths if not path.is_file()]
    if missing:
        shown = ", ".join(path.name for path in missing[:5]) + (", …" if len(missing) > 5 else "")
        raise DataError(f"{complaint} {len(missing)} of {len(paths)} frames in {paths[0].parent}: {shown}")


def frame_files(video: VideoFolders) -> list[Path]:
    """The frames of a video in natural order.

    Raises:
        DataError: there are none, or they come twice in two formats.
    """
    if not video.frames.is_dir():
        raise DataError(f"the split names it, but there is no folder {video.frames}")
    try:
        return folder_images(video.frames)
    except VideoError as error:
        raise DataError(str(error)) from error


def _labelled_frames(
    video: VideoFolders, images: list[Path], checks_files: bool, skipped: list[str]
) -> tuple[list[tuple[Path, Path]], bool]:
    """The frames of a video that have a usable mask, and whether any mask shows an object (True if unchecked)."""
    pairs: list[tuple[Path, Path]] = []
    unlabelled, objects = 0, not checks_files
    masks = {path.name for path in video.masks.iterdir()} if video.masks.is_dir() else set()
    for image in images:
        mask = video.masks / f"{image.stem}.png"
        if mask.name not in masks:
            unlabelled += 1
            continue
        reason, has_object = why_unusable(image, mask) if checks_files else ("", True)
        if reason:
            skipped.append(f"{video.name}/{image.name}: {reason}")
        else:
            pairs.append((image, mask))
            objects |= has_object
    if unlabelled:
        skipped.append(f"{video.name}: {unlabelled} frames without a mask")
    return pairs, objects


def listed_frames(video: VideoFolders) -> tuple[Path, ...]:
    """The frames of a video that is to be evaluated, in their order.

    Raises:
        DataError: the folder of its frames or that of its masks does not exist.
        VideoError: the frames cannot be listed, or there is none.
    """
    if not video.frames.is_dir():
        raise DataError(
            f"sequence '{video.name}' is listed, but has no frames: {video.frames} does not exist"
        )
    if not video.masks.is_dir():
        raise DataError(f"sequence '{video.name}' has no annotations: {video.masks} does not exist")
    return tuple(folder_images(video.frames))


def _complete_sequence(video: VideoFolders) -> VideoSequence:
    frames = listed_frames(video)
    if len(frames) < 3:
        raise DataError(
            f"sequence '{video.name}' has {len(frames)} frames in {video.frames}; "
            f"at least 3 are needed, since the first and the last are not scored"
        )
    masks = tuple(video.masks / f"{path.stem}.png" for path in frames)
    require_files(masks, f"sequence '{video.name}' lacks the annotations of")
    return VideoSequence(video.name, frames, masks, video.one_object)
