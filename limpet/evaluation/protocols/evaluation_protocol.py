"""What a benchmark's protocol is to the rest of limpet: names of videos, a ``VideoTask`` for each, and its archive."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from limpet.core.errors import DataError
from limpet.data.datasets import listed_frames, require_files
from limpet.data.layouts import VideoFolders, subfolders
from limpet.evaluation.video_task import VideoTask

Frames = Literal["all", "listed"]
ALL_FRAMES = "_all_frames"
"""YouTube-VOS has a folder SPLIT_all_frames beside that of each split."""


@dataclass(frozen=True)
class ProtocolOptions:
    """What a user may choose about a protocol.

    Args:
        resolution: of DAVIS: the folder below JPEGImages.
        frames: of YouTube-VOS: "all" lets the tracker see every frame (30 fps), "listed" only those whose masks are
            asked for (6 fps); None takes all where they are there.
        version: of MOSE: 1 has J and F of DAVIS, 2 its own measures.
        seen: of YouTube-VOS: file that says which categories training shows: a meta.json, or a name per line.
    """

    resolution: str = "480p"
    frames: Frames | None = None
    seen: Path | None = None
    version: int = 1

    def __post_init__(self) -> None:
        """Raises DataError for values that there are not."""
        if self.frames not in (None, "all", "listed"):
            raise DataError(f"frames is {self.frames!r}; expected all or listed")
        if self.version not in (1, 2):
            raise DataError(f"version is {self.version}; expected 1 or 2")


DEFAULTS = ProtocolOptions()


@dataclass(frozen=True)
class ArchiveLayout:
    """How a server wants its submission.

    Args:
        server: its address.
        prefix: folder in the archive in which the folders of the videos lie; "" for the top of the archive.
        source: where the layout is published.
    """

    server: str
    prefix: str
    source: str


@dataclass(frozen=True)
class RuleSource:
    """One rule of a protocol in a sentence, and where it is published."""

    rule: str
    source: str


class EvaluationProtocol(ABC):
    """One benchmark: what is given, what is asked for, and what is scored.

    Args:
        root: folder of the data set.
        split: as the data set names it; None takes ``default_split``.
        options: see ``ProtocolOptions``.

    Attributes:
        key: its name on the command line.
        title: the data set in words.
        layout: how the data set lies on disk, for error messages.
        default_split: the split that papers report.
        rules: the rules that differ between benchmarks, with their sources.
        archive: layout of a submission; None where no server computes scores.
        boundary_name: what papers call the boundary accuracy.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    layout: ClassVar[str]
    default_split: ClassVar[str]
    rules: ClassVar[tuple[RuleSource, ...]]
    archive: ClassVar[ArchiveLayout | None] = None
    boundary_name: str = "F"

    def __init__(
        self, root: Path | str, split: str | None = None, options: ProtocolOptions | None = None
    ) -> None:
        self.root = Path(root)
        self.split = split or self.default_split
        self.options = options or ProtocolOptions()
        if not self.root.is_dir():
            raise DataError(f"{self.root} is not a folder; expected the folder of a data set")

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The videos of the split, in its order.

        Raises:
            DataError: no such split, or files of a video are missing; the message says which.
        """

    @abstractmethod
    def task(self, name: str) -> VideoTask:
        """What is asked of one video. Its given masks are read. Raises DataError, MaskError."""

    def write_results(self, masks: Path, out: Path) -> list[str]:
        """Write a file that the benchmark's own code reads, where that is not the masks themselves.

        Args:
            masks: folder of the saved masks. out: folder for the file.

        Returns:
            Names of the files.

        Raises:
            OutputError: it cannot be written.
        """
        return []

    @property
    def rate(self) -> str:
        """Which frames the tracker sees, in words."""
        return "every frame"

    @property
    def label(self) -> str:
        """Data set and split in words."""
        return f"{self.title}, {self.split}"

    def unknown_split(self) -> DataError:
        """The error that names the splits that are there: folders of the root that have JPEGImages."""
        there = [name for name in subfolders(self.root) if (self.root / name / "JPEGImages").is_dir()]
        there = [name for name in there if not name.endswith(ALL_FRAMES)]
        return DataError(
            f"there is no split '{self.split}' in {self.root}; the splits there are: {', '.join(there) or 'none'}; "
            f"expected {self.layout}"
        )


@dataclass(frozen=True)
class VideoFiles:
    """The files of one video: frames in their order, and masks by the index of the frame that they belong to.

    Args:
        video: its folders.
        frames: T files.
        masks: index of the frame -> file.
        listed: indexes of the frames whose masks are asked for.
    """

    video: VideoFolders
    frames: tuple[Path, ...]
    masks: Mapping[int, Path]
    listed: tuple[int, ...] = field(default=())


def files_of(video: VideoFolders, listed: Sequence[str] | None = None) -> VideoFiles:
    """The files of a video that are there.

    Args:
        listed: stems of the frames that are asked for; None asks for all.

    Raises:
        DataError: it has no frames or masks, or there are masks or listed frames that no frame belongs to.
    """
    frames = listed_frames(video)
    index = {path.stem: position for position, path in enumerate(frames)}
    masks = {path.stem: path for path in mask_files(video.masks)}
    strange = [name for name in dict.fromkeys((*masks, *(listed or ()))) if name not in index]
    if strange:
        raise DataError(
            f"sequence '{video.name}' has masks or listed frames without a frame in {video.frames}: "
            f"{', '.join(strange[:5])}"
        )
    if not masks:
        raise DataError(f"sequence '{video.name}' has no annotations: there is no PNG file in {video.masks}")
    asked = tuple(range(len(frames))) if listed is None else tuple(index[name] for name in listed)
    return VideoFiles(video, frames, {index[name]: path for name, path in masks.items()}, asked)


def mask_files(folder: Path) -> list[Path]:
    """The PNG files of a folder by name, without hidden ones, which some systems leave beside every file."""
    return sorted(path for path in folder.glob("*.png") if not path.name.startswith("."))


def require_labels(files: VideoFiles, begins: Sequence[int], needed: Sequence[int]) -> bool:
    """Whether the labels of a video are public: every needed frame has a mask.

    Args:
        begins: for each object the index of the frame in which it begins.
        needed: indexes of the frames that are scored.

    Raises:
        DataError: some frames have masks, others lack them, so that neither all labels are there nor all withheld.
    """
    if all(index in files.masks for index in needed):
        return True
    if set(files.masks) == set(begins) or len(files.masks) <= len(begins):
        return False
    paths = tuple(files.video.masks / f"{files.frames[index].stem}.png" for index in needed)
    require_files(paths, f"sequence '{files.video.name}' lacks the annotations of")
    return True
