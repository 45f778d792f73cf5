"""Footage for distillation: which clips a folder holds, and which mask belongs to the first frame of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from limpet.core.errors import DataError
from limpet.data.datasets import find_layout, frame_files, open_dataset
from limpet.data.layouts import VideoDataset
from limpet.video.image_reader import IMAGE_SUFFIXES, folder_images
from limpet.video.open import VIDEO_SUFFIXES

_EXPECTED = (
    "expected a folder of clips (mp4, mov, mkv …) and folders of frames, or a data set such as DAVIS, of which "
    "ROOT:SPLIT takes the videos of one split"
)


@dataclass(frozen=True)
class FootageClip:
    """One piece of footage.

    Args:
        name: unique in its footage; the clip's labels are stored under it.
        source: a video file or a folder of frames.
        first_mask: the mask of its first frame, where the footage is a data set that has one.
    """

    name: str
    source: Path
    first_mask: Path | None = None


@dataclass(frozen=True)
class Footage:
    """The clips below ``root``, by name, and one line for everything that is not a clip: what it is and why."""

    root: Path
    clips: tuple[FootageClip, ...]
    skipped: tuple[str, ...] = ()


def find_footage(where: str | Path) -> Footage:
    """Look for clips; none is opened, and no mask is read.

    Args:
        where: a folder of clips and of folders of frames, in any mix; a folder of frames, or one clip; a data set in
            a layout of ``limpet.data.datasets``, or ROOT:SPLIT for the videos of one of its splits. In a data set
            the annotation of the first frame becomes the clip's first mask; all others remain unused.

    Raises:
        DataError: there is no such folder, or no clip in it.
    """
    root = Path(where)
    before, colon, split = str(where).rpartition(":")
    if root.is_file() and root.suffix.lower() in VIDEO_SUFFIXES:
        return Footage(root.parent, (FootageClip(root.stem, root),))
    if root.is_dir():
        kind = find_layout(root)
        found = _from_folder(root) if kind is None else _from_dataset(kind(root), None)
    elif colon and before and split:
        found = _from_dataset(open_dataset(before), split)
    else:
        raise DataError(f"there is no folder of footage {root}; {_EXPECTED}")
    if not found.clips:
        first = f" ({found.skipped[0]})" if found.skipped else ""
        raise DataError(f"there is no footage in {root}{first}; {_EXPECTED}")
    return found


def find_first_mask(clip: FootageClip, first_masks: Path | None) -> Path | None:
    """The mask of a clip's first frame, or None.

    Args:
        first_masks: a folder with ``<name>.png``, ``<name>_mask.png``, or ``<name>/<first frame>.png`` (00000.png
            for a video file); a mask in it takes precedence over the one in the data set.

    Raises:
        DataError: there is no such folder. VideoError: the clip's folder of frames has none.
    """
    if first_masks is None:
        return clip.first_mask
    if not first_masks.is_dir():
        raise DataError(f"{first_masks} is not a folder; expected one with <clip>.png for first frames")
    frame = folder_images(clip.source)[0].stem if clip.source.is_dir() else "00000"
    names = (f"{clip.name}.png", f"{clip.name}_mask.png", f"{clip.name}/{frame}.png")
    found = (first_masks / name for name in names)
    return next((path for path in found if path.is_file()), clip.first_mask)


def _from_folder(root: Path) -> Footage:
    entries = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    sources, skipped = [], []
    for path in entries:
        reason = _why_not_a_clip(path)
        if reason is None:
            sources.append(path)
        elif reason:
            skipped.append(f"{path.name}: {reason}")
    images = [path for path in entries if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES]
    if not sources and images:
        return Footage(root, (FootageClip(root.resolve().name, root),), tuple(skipped))
    names = _names(sources)
    stems = {*names, *(f"{name}_mask" for name in names)}  # masks may lie beside the clips
    skipped += [f"{path.name}: a single image is not a clip" for path in images if path.stem not in stems]
    return Footage(root, tuple(map(FootageClip, names, sources)), tuple(skipped))


def _from_dataset(dataset: VideoDataset, split: str | None) -> Footage:
    clips, skipped = [], []
    for video in dataset.videos(split):
        try:
            first = frame_files(video)[0]
        except DataError as error:
            skipped.append(f"{video.name}: {error}")
            continue
        mask = video.masks / f"{first.stem}.png"
        clips.append(FootageClip(video.name, video.frames, mask if mask.is_file() else None))
    return Footage(dataset.root, tuple(clips), tuple(skipped))


def _why_not_a_clip(path: Path) -> str | None:
    """None for a clip or a folder of frames; nothing ("") for an image, which is judged later."""
    if path.is_file():
        suffix = path.suffix.lower()
        if suffix in VIDEO_SUFFIXES:
            return None
        return "" if suffix in IMAGE_SUFFIXES else "neither a video nor a folder of frames"
    inside = [file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")]
    if any(file.suffix.lower() in IMAGE_SUFFIXES for file in inside):
        return None
    clips = sum(file.suffix.lower() in VIDEO_SUFFIXES for file in inside)
    return f"a folder without frames ({clips} videos in it; name this folder to use them)"


def _names(sources: list[Path]) -> list[str]:
    """The stems; where two are alike, files are told apart by their suffix: dog-mp4, dog-mov."""
    stems = [path.name if path.is_dir() else path.stem for path in sources]
    often = Counter(stems)
    return [
        f"{stem}-{path.suffix[1:]}" if path.is_file() and often[stem] > 1 else stem
        for stem, path in zip(stems, sources, strict=True)
    ]
