"""How data sets of video lie on disk: which splits there are, and the folders of frames and masks of each video.

Nothing is opened here but lists of names. ``limpet.data.datasets`` has the table of these classes, and reads the
files; docs/adding_a_dataset.md shows how to add one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from limpet.core.errors import DataError
from limpet.core.json_text import read_json
from limpet.core.limits import limits

ALL = "all"
"""The split of every video that is there, where the layout has no need of a list."""


@dataclass(frozen=True)
class VideoFolders:
    """Where one video lies.

    Args:
        name: unique in its split.
        frames: folder of the frames.
        masks: folder of the masks. A frame and its mask have the same name but for the suffix.
        one_object: all ids above 0 are one object (the DAVIS-2016 protocol); otherwise the first mask decides.
        unusable: why this video cannot be used, or "".
    """

    name: str
    frames: Path
    masks: Path
    one_object: bool = False
    unusable: str = ""


class VideoDataset(ABC):
    """A data set of videos with masks.

    Args:
        root: its folder.
        resolution: which of several sizes to use, where the layout has several.

    Attributes:
        layout: the layout in words, for error messages.
        checks_files: open every mask when the videos are listed. Without it a damaged file only shows when it is
            drawn, and another clip is taken then: for data sets with tens of thousands of masks.
    """

    layout: ClassVar[str]
    checks_files: ClassVar[bool] = True

    def __init__(self, root: Path, resolution: str = "480p") -> None:
        self.root, self.resolution = root, resolution

    @classmethod
    @abstractmethod
    def recognises(cls, root: Path) -> bool:
        """Whether the folder ``root``, which exists, is laid out in this way."""

    @abstractmethod
    def splits(self) -> list[str]:
        """Names that ``videos`` takes."""

    @abstractmethod
    def videos(self, split: str | None) -> list[VideoFolders]:
        """The videos of a split, in its order; None is every video.

        Raises:
            DataError: there is no such split (see ``unknown_split``), or its list cannot be read.
        """

    def unknown_split(self, split: str | None) -> DataError:
        """The error that names the splits that are there."""
        known = ", ".join(self.splits()) or "none"
        if split is None:
            return DataError(f"no split of {self.root} is named; choose one of: {known}")
        return DataError(f"there is no split '{split}' in {self.root}; the splits there are: {known}")


class Mose(VideoDataset):
    """One split of MOSE as it comes out of its archive; its splits side by side are read by ``YouTubeVos``.

    A split is ``all``, or the name of one video. Videos of the validation set have a mask of their first frame alone.
    """

    layout = "MOSE: ROOT/JPEGImages/<video>/*.jpg and masks in ROOT/Annotations/<video>/*.png"
    checks_files = False

    @classmethod
    def recognises(cls, root: Path) -> bool:
        videos = root / "JPEGImages"
        first = next(iter(subfolders(videos)), None)
        return first is not None and (root / "Annotations").is_dir() and not subfolders(videos / first)

    def splits(self) -> list[str]:
        return [ALL]

    def videos(self, split: str | None) -> list[VideoFolders]:
        frames, masks = self.root / "JPEGImages", self.root / "Annotations"
        there = subfolders(frames)
        if split not in (None, ALL, *there):
            raise DataError(f"{self.unknown_split(split)}; the name of one video will do as well")
        names = there if split is None or split == ALL else [split]
        return [VideoFolders(name, frames / name, masks / name) for name in names]


class Davis(VideoDataset):
    """DAVIS 2016 and 2017, and whatever was laid out like it.

    A split is a list below ImageSets (``val``, ``2017/val``; the folder may be left out where one list alone has that
    name), ``all``, or the name of one video. The annotations of 480p serve a resolution that has none of its own.
    """

    layout = (
        "DAVIS: ROOT/JPEGImages/480p/<video>/*.jpg, masks in ROOT/Annotations/480p/<video>/*.png, "
        "lists of videos in ROOT/ImageSets/<split>.txt"
    )

    @classmethod
    def recognises(cls, root: Path) -> bool:
        return (root / "JPEGImages").is_dir() and not Mose.recognises(root)

    def splits(self) -> list[str]:
        return [*self._lists(), ALL]

    def videos(self, split: str | None) -> list[VideoFolders]:
        frames, masks = (self.root / part / self.resolution for part in ("JPEGImages", "Annotations"))
        if not frames.is_dir():
            resolutions = ", ".join(subfolders(self.root / "JPEGImages")) or "none"
            raise DataError(f"there is no folder {frames}; resolutions there: {resolutions}")
        if not masks.is_dir():
            masks = self.root / "Annotations" / "480p"
        there = subfolders(frames)
        listed = self._find_list(split, there)
        if listed is not None:
            names = names_in(listed)
        elif split is None or split == ALL:
            names = there
        else:
            names = [split]
        one_object = listed is not None and listed.parent.name == "2016"
        return [VideoFolders(name, frames / name, masks / name, one_object) for name in names]

    def _lists(self) -> dict[str, Path]:
        sets = self.root / "ImageSets"
        return {
            path.relative_to(sets).with_suffix("").as_posix(): path for path in sorted(sets.rglob("*.txt"))
        }

    def _find_list(self, split: str | None, videos: list[str]) -> Path | None:
        """The list of the split; None for every video, or for a single one."""
        if split is None:
            return None
        lists, wanted = self._lists(), split.removesuffix(".txt")
        for name in (wanted, f"{self.resolution}/{wanted}"):  # DAVIS-2016 keeps one list for each resolution
            if name in lists:
                return lists[name]
        ends = [name for name in lists if name.endswith(f"/{wanted}")]
        if len(ends) == 1:
            return lists[ends[0]]
        if ends:
            choice = ", ".join(ends)
            raise DataError(
                f"'{split}' is one of several splits in {self.root / 'ImageSets'}: choose one of {choice}"
            )
        if split in (ALL, *videos):
            return None
        error = self.unknown_split(split)
        raise DataError(f"{error}; the name of one video will do as well")


class YouTubeVos(VideoDataset):
    """YouTube-VOS, and MOSE and LVOS, which are laid out like it: a split is a folder of the root.

    Where the split has a ``meta.json``, it says which videos there are, and those without an object are left out.
    YouTube-VOS has 94,000 masks: they are not opened when the videos are listed.
    """

    layout = (
        "YouTube-VOS: ROOT/<split>/JPEGImages/<video>/*.jpg, masks in ROOT/<split>/Annotations/<video>/*.png, "
        "and perhaps ROOT/<split>/meta.json"
    )
    checks_files = False

    @classmethod
    def recognises(cls, root: Path) -> bool:
        return any((root / name / "JPEGImages").is_dir() for name in subfolders(root))

    def splits(self) -> list[str]:
        return [name for name in subfolders(self.root) if (self.root / name / "JPEGImages").is_dir()]

    def videos(self, split: str | None) -> list[VideoFolders]:
        splits = self.splits()
        if split is None and len(splits) == 1:
            split = splits[0]
        if split is None or split not in splits:
            raise self.unknown_split(split)
        folder = self.root / split
        frames, masks = folder / "JPEGImages", folder / "Annotations"
        described = _described_videos(folder / "meta.json")
        if described is None:
            return [VideoFolders(name, frames / name, masks / name) for name in subfolders(frames)]
        return [
            VideoFolders(
                name,
                frames / name,
                masks / name,
                unusable="" if objects else "meta.json names no object in it",
            )
            for name, objects in sorted(described.items())
        ]


class PlainFolders(VideoDataset):
    """One folder of frames per video in ``images``, one folder of masks per video in ``masks``.

    A split is ``all``, a list ``ROOT/<split>.txt`` of one name per line, or the name of one video.
    """

    layout = "plain folders: ROOT/images/<video>/* and masks in ROOT/masks/<video>/*.png"

    @classmethod
    def recognises(cls, root: Path) -> bool:
        return bool(subfolders(root / "images")) and (root / "masks").is_dir()

    def splits(self) -> list[str]:
        return [*sorted(path.stem for path in self.root.glob("*.txt")), ALL]

    def videos(self, split: str | None) -> list[VideoFolders]:
        frames, masks = self.root / "images", self.root / "masks"
        there, listed = subfolders(frames), self.root / f"{split}.txt"
        if split is None or split == ALL:
            names = there
        elif listed.is_file():
            names = names_in(listed)
        elif split in there:
            names = [split]
        else:
            raise self.unknown_split(split)
        return [VideoFolders(name, frames / name, masks / name) for name in names]


def names_in(path: Path) -> list[str]:
    """The names of a list, each once; a line of paths (DAVIS-2016) names the folder of its first file.

    Raises:
        DataError: the list is empty.
    """
    words = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    names = [Path(line[0]).parent.name if "/" in line[0] else line[0] for line in words if line]
    if not names:
        raise DataError(f"{path} names no video; write one name per line")
    return list(dict.fromkeys(names))


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in ``folder``, sorted and without hidden ones; none where it does not exist."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _described_videos(path: Path) -> Mapping[str, Iterable[Any]] | None:
    """The objects of each video by the YouTube-VOS list, or None where there is no list."""
    if not path.is_file():
        return None
    try:
        videos: dict[str, Any] = read_json(path, limits().json_bytes)["videos"]
        return {name: video.get("objects") or () for name, video in videos.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not the list of YouTube-VOS ({error!r}); download it again") from error
