"""What a folder of footage holds: which clips there are, and which mask belongs to the first frame of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from limpet.core.errors import DataError, VideoError
from limpet.data.folders import split_names
from limpet.video.image_reader import IMAGE_SUFFIXES, folder_images

VIDEO_SUFFIXES = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
        *(".wmv", ".flv", ".3gp", ".ogv"),
    )
)
_EXPECTED = (
    "expected clips (mp4, mov, mkv …) and folders of frames in it, or a folder in DAVIS layout, of which "
    "ROOT:SPLIT takes the videos of a list"
)


@dataclass(frozen=True)
class Clip:
    """One piece of footage.

    name: unlike that of any other clip; its labels have the same.
    source: a video file or a folder of frames.
    first_mask: the mask of its first frame, where it lies with the footage (DAVIS layout).
    """

    name: str
    source: Path
    first_mask: Path | None = None


@dataclass(frozen=True)
class Footage:
    """The clips below ``root``, by name, and one line for everything that is none: what it is and why."""

    root: Path
    clips: tuple[Clip, ...]
    skipped: tuple[str, ...] = ()


def find_footage(where: str | Path) -> Footage:
    """Look for clips; none is opened, and no mask is read.

    Args:
        where: a folder of clips and of folders of frames, in any mix; a folder of frames, or one clip; a folder in
            DAVIS layout, or ROOT:SPLIT for the videos of one of its lists. In DAVIS layout the annotation of the
            first frame becomes the clip's first mask; all others stay unseen.

    Raises:
        DataError: there is no such folder, or no clip in it.
    """
    root = Path(where)
    before, colon, split = str(where).rpartition(":")
    if root.is_file() and root.suffix.lower() in VIDEO_SUFFIXES:
        return Footage(root.parent, (Clip(root.stem, root),))
    if root.is_dir():
        in_davis_layout = (root / "JPEGImages").is_dir()
        found = _davis(root, None) if in_davis_layout else _folder(root)
    elif colon and before and split:
        found = _davis(Path(before), split)
    else:
        raise DataError(f"there is no folder of footage {root}; {_EXPECTED}")
    if not found.clips:
        first = f" ({found.skipped[0]})" if found.skipped else ""
        raise DataError(f"there is no footage in {root}{first}; {_EXPECTED}")
    return found


def find_first_mask(clip: Clip, first_masks: Path | None) -> Path | None:
    """The mask of a clip's first frame, or None.

    Args:
        first_masks: a folder with ``<name>.png``, ``<name>_mask.png``, or ``<name>/<first frame>.png`` (00000.png
            for a video file); what is there goes before the mask that lies with the footage.

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


def _folder(root: Path) -> Footage:
    entries = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    sources, skipped = [], []
    for path in entries:
        reason = _why_no_clip(path)
        if reason is None:
            sources.append(path)
        elif reason:
            skipped.append(f"{path.name}: {reason}")
    stills = [path for path in entries if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES]
    if not sources and stills:
        return Footage(root, (Clip(root.resolve().name, root),), tuple(skipped))
    names = _names(sources)
    stems = {*names, *(f"{name}_mask" for name in names)}  # masks may lie beside the clips
    skipped += [f"{path.name}: a single picture is no clip" for path in stills if path.stem not in stems]
    return Footage(root, tuple(map(Clip, names, sources)), tuple(skipped))


def _why_no_clip(path: Path) -> str | None:
    """None for a clip or a folder of frames; nothing ("") for a picture, which is judged later."""
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


def _davis(root: Path, split: str | None) -> Footage:
    frames_root = root / "JPEGImages" / "480p"
    if not frames_root.is_dir():
        raise DataError(
            f"{frames_root} is not a folder; in DAVIS layout frames are JPEGImages/480p/<video>/*.jpg"
        )
    clips, skipped = [], []
    for name in split_names(root, split, frames_root):
        folder = frames_root / name
        try:
            first = folder_images(folder)[0] if folder.is_dir() else None
        except VideoError as error:
            skipped.append(f"{name}: {error}")
            continue
        if first is None:
            skipped.append(f"{name}: the split names it, but there is no folder {folder}")
            continue
        mask = root / "Annotations" / "480p" / name / f"{first.stem}.png"
        clips.append(Clip(name, folder, mask if mask.is_file() else None))
    return Footage(root, tuple(clips), tuple(skipped))
