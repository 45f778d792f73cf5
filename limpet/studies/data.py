"""The data of a study, from what the user named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from limpet.data import DavisFolder, StillsFolder, VideoFolder, YoutubeFolder, video_folder
from limpet.errors import DataError
from limpet.evaluation.davis import Dataset, load_davis

DAVIS_TRAIN, DAVIS_VAL = "2017/train", "2017/val"
DAVIS_TIMES = 5
"""How often DAVIS's 60 videos count beside the 3,471 of YouTube-VOS, as in the official recipe."""


Split = tuple[Path, str]
"""The root of a folder in DAVIS layout, and one of its lists."""


@dataclass(frozen=True)
class StudyData:
    """What clips are made of, what is scored, and how the user called it."""

    stills: StillsFolder | None
    videos: tuple[VideoFolder, ...]
    judge: Dataset | None
    named: dict[str, str]

    @property
    def skipped(self) -> list[str]:
        """One line for everything that cannot be used, each once."""
        folders = [folder for folder in (self.stills, *self.videos) if folder is not None]
        return list(dict.fromkeys(line for folder in folders for line in folder.skipped))


def small_data(stills: Path | None, videos: Sequence[Split], score: Split | None) -> StudyData:
    """Photos and videos in DAVIS layout.

    Args:
        videos: root and split of each. score: root and split; None scores nothing.

    Raises:
        DataError: nothing was named, or what was named is not there.
    """
    if stills is None and not videos:
        raise DataError("there is nothing to learn from; give --stills DIR, --videos ROOT:SPLIT, or both")
    named = {"stills": str(stills)} if stills else {}
    if videos:
        named["videos"] = " ".join(map(_text, videos))
    return StudyData(
        StillsFolder(stills) if stills else None,
        tuple(video_folder(*split) for split in videos),
        load_davis(*score) if score else None,
        named | ({"score": _text(score)} if score else {}),
    )


def paper_data(
    stills: Path | None, davis: Path | None, youtube: Path | None, score: Split | None
) -> StudyData:
    """The published recipe's: photos, then DAVIS-2017 and YouTube-VOS in their own layouts.

    Args:
        score: root and split; None scores nothing.

    Raises:
        DataError: one of the three is missing, or is not what it should be.
    """
    roots = {"stills": stills, "davis": davis, "youtube": youtube}
    missing = [f"--{name}" for name, root in roots.items() if root is None]
    if stills is None or davis is None or youtube is None:
        raise DataError(
            f"the paper's recipe wants --stills, --davis and --youtube; {' and '.join(missing)} missing"
        )
    few = DavisFolder(davis, DAVIS_TRAIN)
    return StudyData(
        StillsFolder(stills),
        (*[few] * DAVIS_TIMES, YoutubeFolder(youtube)),
        load_davis(*score) if score else None,
        {name: str(root) for name, root in roots.items()} | ({"score": _text(score)} if score else {}),
    )


def _text(split: Split) -> str:
    return f"{split[0]}:{split[1]}"
