"""YouTube-VOS's training set (a mask for every fifth frame, a list of what is in each video), told from DAVIS's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from limpet.core.errors import DataError
from limpet.data.folders import IMAGE_SUFFIXES, DavisFolder, VideoSequence

_LAYOUT = (
    "YouTube-VOS is ROOT/train/JPEGImages/<video>/*.jpg, ROOT/train/Annotations/<video>/*.png and "
    "ROOT/train/meta.json"
)


class YoutubeFolder:
    """The videos that ``train/meta.json`` names, with the frames that have a mask.

    There are 94,000 masks: none is opened here. A damaged one shows when it is drawn, and another is taken then.

    Args:
        root: the folder that holds ``train``.

    Attributes:
        sequences: the usable videos, by name.
        skipped: one line for every video that can't be used, and for the frames of a video that have no mask.

    Raises:
        DataError: no such folder or list, or no usable video in it.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.skipped: list[str] = []
        self.sequences: list[VideoSequence] = []
        for name, facts in sorted(_read_list(self.root / "train").items()):
            sequence = self._read_sequence(name)
            if not facts.get("objects"):
                self.skipped.append(f"{name}: meta.json names no object in it")
            elif len(sequence) < 2:
                self.skipped.append(f"{name}: {len(sequence)} frames with a mask, at least 2 are needed")
            else:
                self.sequences.append(sequence)
        if not self.sequences:
            first = f"; first {self.skipped[0]}" if self.skipped else ""
            raise DataError(f"no usable video in {self.root}{first}; {_LAYOUT}")

    def __len__(self) -> int:
        return len(self.sequences)

    def _read_sequence(self, name: str) -> VideoSequence:
        frames, masks = (self.root / "train" / part / name for part in ("JPEGImages", "Annotations"))
        images = _sorted_files(frames, IMAGE_SUFFIXES)
        labelled = {path.stem: path for path in _sorted_files(masks, (".png",))}
        kept = [path for path in images if path.stem in labelled]
        if len(kept) < len(images):
            self.skipped.append(f"{name}: {len(images) - len(kept)} frames without a mask")
        return VideoSequence(name, tuple(kept), tuple(labelled[path.stem] for path in kept))


def video_folder(root: Path | str, split: str) -> DavisFolder | YoutubeFolder:
    """The labelled videos at ``root``, in whichever of the two layouts they are.

    Raises:
        DataError: as of the two classes.
    """
    if split == "train" and (Path(root) / "train" / "meta.json").is_file():
        return YoutubeFolder(root)
    return DavisFolder(root, split)


def _read_list(train: Path) -> dict[str, dict[str, Any]]:
    path = train / "meta.json"
    if not path.is_file():
        raise DataError(f"there is no {path}; {_LAYOUT}")
    try:
        videos: dict[str, dict[str, Any]] = json.loads(path.read_text())["videos"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not the list of YouTube-VOS ({error!r}); download it again") from error
    return videos


def _sorted_files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes)
