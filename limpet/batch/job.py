"""What a job of a batch is: a video, its first mask, a name and its settings; and how a row of a list says so."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints

from limpet.batch.job_settings import JobSettings
from limpet.core.errors import DataError

SUMMARY_FILES = ("batch.json", "batch.html")
_LONGEST_NAME = 200
_NO_NAME = re.compile(r"[\x00-\x1f\x7f/\\]")
_STREAM = re.compile(r"-|camera:.*|[A-Za-z][A-Za-z0-9+.-]*://.*", re.DOTALL)
_PATHS = ("weights", "bundle")
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
COLUMNS = ("video", "mask", "name", "frame", "add")
"""What a row of a list may hold besides the settings."""


@dataclass(frozen=True)
class BatchJob:
    """One video of a batch.

    >>> job = BatchJob("clips/dog.mp4", "clips/dog.png", name="dog")
    >>> job.name, job.settings.max_size
    ('dog', 480)

    video: a file, a folder of images, or a pattern. mask: the first one. Both are relative to the current folder.
    name: of the folder of its results, unique in the batch.
    add: masks of later frames, by index.
    settings: see JobSettings.
    frame: of the first mask, counted from 0; tracking begins there, and the masks before it are empty.

    Raises:
        DataError: the name cannot be that of a folder, the video is a stream, or a mask of ``add`` comes too early.
    """

    video: str
    mask: str
    name: str
    add: Mapping[int, str] = field(default_factory=dict)
    settings: JobSettings = field(default_factory=JobSettings)
    frame: int = 0

    def __post_init__(self) -> None:
        if not self.video or not self.mask:
            raise DataError(
                f"job {self.name!r} has no {'mask' if self.video else 'video'}; each job needs both"
            )
        check_name(self.name)
        if _STREAM.fullmatch(self.video):
            raise DataError(
                f"job {self.name!r} is the stream {self.video}, whose frames cannot be read again after a crash; use "
                "limpet track for it"
            )
        early = [frame for frame in self.add if self.frame and frame <= self.frame]
        if early:
            raise DataError(
                f"job {self.name!r} adds a mask at frame {min(early)}, but its first mask is that of frame "
                f"{self.frame}; begin with the earliest one, and draw the objects of one frame into one mask"
            )

    @property
    def masks_of_track(self) -> tuple[str | None, dict[int, str]]:
        """``mask`` and ``add`` as ``limpet.track`` takes them."""
        return (None, {self.frame: self.mask, **self.add}) if self.frame else (self.mask, dict(self.add))

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @staticmethod
    def from_dict(facts: Mapping[str, Any]) -> BatchJob:
        """From what ``as_dict`` gave, after JSON has made strings of keys and lists of tuples."""
        settings = {**facts["settings"], "scales": tuple(facts["settings"]["scales"])}
        add = {int(frame): mask for frame, mask in facts["add"].items()}
        made = JobSettings(**settings)
        return BatchJob(facts["video"], facts["mask"], facts["name"], add, made, facts["frame"])

    def absolute(self) -> BatchJob:
        """The same with absolute paths, for a worker that may run in another folder."""
        paths: dict[str, Any] = {
            name: _absolute(value) for name in _PATHS if (value := getattr(self.settings, name))
        }
        return replace(
            self,
            video=_absolute(self.video),
            mask=_absolute(self.mask),
            add={frame: _absolute(mask) for frame, mask in self.add.items()},
            settings=replace(self.settings, **paths),
        )

    def key(self) -> str:
        """By which a job is recognised when the batch goes on: its settings and the names of its files.

        The folders do not count: videos may be moved in between, as with ``limpet track --resume``.
        """
        facts = self.as_dict()
        if not self.frame:
            del facts["frame"]  # as batches have it that were begun before there was a choice
        facts |= {name: Path(facts[name]).name for name in ("video", "mask")}
        facts["add"] = {frame: Path(mask).name for frame, mask in sorted(self.add.items())}
        facts["settings"] |= {name: Path(value).name for name in _PATHS if (value := facts["settings"][name])}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


OnFrames = Callable[[int, int | None], None]
"""Called with the frames done and, if known, in all."""


@dataclass(frozen=True)
class JobTask:
    """A job that a worker is given.

    job: with absolute paths. folder: of its results.
    start_again: discard what an earlier try with other settings left there.
    """

    job: BatchJob
    folder: str
    start_again: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @staticmethod
    def from_dict(facts: Mapping[str, Any]) -> JobTask:
        """From what ``as_dict`` gave, after JSON."""
        return JobTask(BatchJob.from_dict(facts["job"]), facts["folder"], facts["start_again"])


def check_name(name: str) -> None:
    """Raises DataError unless a folder of results can have this name."""
    if not name or name.startswith(".") or _NO_NAME.search(name):
        raise DataError(
            f"the name {name!r} cannot be that of a folder of results; expected one without / and \\ and control "
            "characters that does not begin with a dot"
        )
    if len(name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
        raise DataError(f"the name {name[:40]!r}… is longer than {_LONGEST_NAME} bytes; choose a shorter one")
    if name.casefold() in SUMMARY_FILES:
        raise DataError(f"the name {name!r} is that of the batch's own summary; choose another one")


def job_from_row(row: Mapping[str, Any], folder: Path, defaults: JobSettings) -> BatchJob:
    """The job that a row of a list describes.

    Args:
        row: values by column: text, or what JSON holds. Text that is empty, and null, count as not given.
        folder: that relative paths begin at.
        defaults: settings that the row does not name.

    Raises:
        DataError: an unknown column, a value that cannot be read, or a job that cannot be.
    """
    given = {name: value for name, value in row.items() if value not in (None, "")}
    unknown = sorted(str(name) for name in given if name not in (*COLUMNS, *_types()))
    if unknown:
        raise DataError(f"there is no column {unknown[0]!r}; expected {', '.join((*COLUMNS, *_types()))}")
    video, mask = (_text(given, name) for name in ("video", "mask"))
    later = _later_masks(given.get("add", ()))
    frame, mask = _first_mask(given, mask, later)
    name = _text(given, "name") or default_name(video)
    settings = {key: _value(key, value, _types()[key]) for key, value in given.items() if key in _types()}
    settings |= {key: str(folder / settings[key]) for key in _PATHS if key in settings}
    if video and not _STREAM.fullmatch(video):
        video = str(folder / video)
    add = {index: str(folder / path) for index, path in later.items()}
    return BatchJob(video, mask and str(folder / mask), name, add, replace(defaults, **settings), frame)


def _first_mask(given: Mapping[str, Any], mask: str, later: dict[int, str]) -> tuple[int, str]:
    """The frame of the first mask, and the mask; without one it is the earliest of ``later``, which then lacks it."""
    frame = given.get("frame")
    if mask or not later:
        number = _value("frame", 0 if frame is None else frame, int)
        if number < 0:
            raise DataError(f"frame is {number}; expected that of the first mask, counted from 0")
        return number, mask
    if frame is not None:
        raise DataError(
            f"frame is {frame}, but there is no mask of that frame; name it in the column mask, or leave frame out and "
            "name all masks in add"
        )
    number = min(later)
    return number, later.pop(number)


def default_name(video: str) -> str:
    """``clips/dog.mp4``, ``clips/dog/`` and ``clips/dog/%05d.jpg`` -> ``dog``."""
    path = Path(video)
    if "%" in path.name or "*" in path.name:
        path = path.parent
    return path.stem if path.suffix and not path.is_dir() else path.name


def _absolute(path: str) -> str:
    return str(Path(path).absolute())


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise DataError(f"{name} is {value!r}; expected text")
    return value


@cache
def _types() -> dict[str, Any]:
    """The type of each setting; of one that may be None, that of its other values."""
    hints = get_type_hints(JobSettings)
    found = {}
    for each in fields(JobSettings):
        hint = hints[each.name]
        found[each.name] = get_args(hint)[0] if isinstance(hint, UnionType) else hint
    return found


def _value(name: str, given: Any, kind: Any) -> Any:
    """A setting from its text, or from what JSON holds. Raises DataError."""
    try:
        if kind is bool:
            word = str(given).strip().casefold()
            return {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}[word]
        if kind in (int, float):
            if isinstance(given, bool) or (kind is int and isinstance(given, float) and given % 1):
                raise ValueError
            return kind(given)
        if kind is str:
            if not isinstance(given, str):
                raise ValueError
            return given
        parts = re.split(r"[,;\s]+", given.strip()) if isinstance(given, str) else given
        return tuple(float(part) for part in parts)
    except (KeyError, ValueError, TypeError) as error:
        words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
        raise DataError(
            f"{name} is {given!r}; expected {words.get(kind, 'numbers, such as 1.0,1.3')}"
        ) from error


def _later_masks(given: Any) -> dict[int, str]:
    """``30:a.png;60:b.png``, or a list of such parts -> masks by frame. Raises DataError."""
    parts = given.split(";") if isinstance(given, str) else list(given)
    found: dict[int, str] = {}
    for part in parts:
        match = re.fullmatch(r"\s*([0-9]+):(.+)", part) if isinstance(part, str) else None
        if match is None:
            raise DataError(
                f"add is {given!r}; expected FRAME:PNG, such as 30:new.png, several of them with ; between"
            )
        if int(match[1]) in found:
            raise DataError(f"add names frame {int(match[1])} twice; draw its objects into one mask")
        found[int(match[1])] = match[2].strip()
    return found
