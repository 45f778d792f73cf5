"""Where jobs come from: a folder of videos with masks beside them, or a list as CSV or JSON lines.

A list is read job by job, as often as it is needed, and never held in memory.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from limpet.batch.job import BatchJob, default_name, job_from_row
from limpet.batch.job_settings import JobSettings
from limpet.core.errors import DataError
from limpet.core.json_text import parse_json
from limpet.video.image_reader import IMAGE_SUFFIXES
from limpet.video.open import VIDEO_SUFFIXES

_LATER = re.compile(r"(?P<stem>.+)@(?P<frame>[0-9]+)\.png", re.DOTALL)
_EXPECTED = (
    "expected a folder of videos with masks beside them (dog.mp4 and dog.png), or a list of jobs as CSV or JSON lines "
    "(.csv, .jsonl)"
)


class JobFolder:
    """The videos of a folder that have a mask beside them, by name.

    A video is a file (dog.mp4) or a folder of frames (dog/); its mask is dog.png, or dog_mask.png, in the same folder.
    dog@30.png is the mask of its frame 30, counted from 0.

    Args:
        folder: is not searched further down.
        settings: of all jobs.
        leave_out: a folder inside that is none of the videos, where the results go.
    """

    def __init__(self, folder: Path, settings: JobSettings, leave_out: Path) -> None:
        self._folder, self._settings, self._leave_out = folder.absolute(), settings, leave_out.absolute()

    @cached_property
    def _names(self) -> tuple[list[str], list[str]]:
        """Names of entries: videos, and images."""
        videos, images = [], []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                suffix = Path(entry.name).suffix.lower()
                if entry.name.startswith(".") or Path(entry.path) == self._leave_out:
                    continue
                if entry.is_dir() or suffix in VIDEO_SUFFIXES:
                    videos.append(entry.name)
                elif suffix in IMAGE_SUFFIXES:
                    images.append(entry.name)
        return sorted(videos), sorted(images)

    def __iter__(self) -> Iterator[BatchJob]:
        for file in self._names[0]:
            if found := self._masks.get(_stem(file)):
                frame, *later = sorted(found)
                add = {index: str(self._folder / found[index]) for index in later}
                mask = str(self._folder / found[frame])
                yield BatchJob(str(self._folder / file), mask, _stem(file), add, self._settings, frame)

    @cached_property
    def skipped(self) -> list[str]:
        """What is not a job, and why: one sentence each."""
        videos, images = self._names
        used = {mask for found in self._masks.values() for mask in found.values()}
        without = [file for file in videos if _stem(file) not in self._masks]
        lines = [f"{file}: there is no mask {_stem(file)}.png beside it" for file in without]
        return lines + [f"{image}: it is the mask of no video" for image in images if image not in used]

    @cached_property
    def _masks(self) -> dict[str, dict[int, str]]:
        """Of each video that has masks, by its stem: their file names by frame. Raises DataError."""
        videos, images = self._names
        stems, known = {_stem(file) for file in videos}, set(images)
        found: dict[str, dict[int, str]] = {}
        for stem in sorted(stems):
            first = next((mask for mask in (f"{stem}.png", f"{stem}_mask.png") if mask in known), None)
            if first is not None:
                found[stem] = {0: first}
                known.discard(first)
        for image in images:
            match = _LATER.fullmatch(image)
            if match is None or image not in known or match["stem"] not in stems:
                continue
            masks, frame = found.setdefault(match["stem"], {}), int(match["frame"])
            if frame in masks:
                raise DataError(
                    f"{masks[frame]} and {image} are both the mask of frame {frame} of {match['stem']}; draw their "
                    "objects into one mask, or remove one"
                )
            masks[frame] = image
        return found


@dataclass(frozen=True)
class JobFile:
    """The jobs of a file, a line each: CSV with a header, or JSON objects.

    Paths in it are relative to its folder. Empty lines are left out.

    path: the file. settings: those that a line does not name.
    """

    path: Path
    settings: JobSettings

    def __iter__(self) -> Iterator[BatchJob]:
        folder = self.path.absolute().parent
        read = _csv_rows if self.path.suffix.lower() == ".csv" else _json_rows
        number = 0
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                for at, row in read(file):
                    number = at
                    yield job_from_row(row, folder, self.settings)
        except DataError as error:
            line = "" if str(error).startswith("line ") else f"line {number}: "
            raise DataError(f"{self.path}, {line}{error}") from error
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror}; {_EXPECTED}") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path} is not text in UTF-8; save it as such") from error


Jobs = Iterable[BatchJob]


def open_jobs(source: str | Path | Jobs, out: Path, settings: JobSettings) -> Jobs:
    """The jobs of a folder, of a file, or of a collection. Raises DataError where they cannot be read again."""
    if not isinstance(source, (str, Path)):
        if iter(source) is source:
            raise DataError("the jobs are an iterator, which can be read only once; pass a list of them")
        return source
    path = Path(source)
    if path.is_dir():
        return JobFolder(path, settings, out)
    if path.suffix.lower() in (".csv", ".jsonl", ".ndjson") and path.is_file():
        return JobFile(path, settings)
    problem = "is neither" if path.exists() else "does not exist"
    raise DataError(f"{source} {problem}; {_EXPECTED}")


def check_jobs(jobs: Jobs) -> int:
    """How many jobs there are. Raises DataError if there is none, or where two have the same folder of results."""
    seen: dict[str, int] = {}
    for number, job in enumerate(jobs, start=1):
        folder = job.name.casefold()  # some file systems know no capitals
        if (other := seen.setdefault(folder, number)) != number:
            raise DataError(
                f"jobs {other} and {number} have the same output, {job.name!r}; give each a name of its own (in a "
                "list: the column name)"
            )
    if not seen:
        skipped = getattr(jobs, "skipped", [])
        raise DataError(f"there is no job{f' ({skipped[0]})' if skipped else ''}; {_EXPECTED}")
    return len(seen)


def _stem(file: str) -> str:
    return default_name(file) if Path(file).suffix.lower() in VIDEO_SUFFIXES else file


def _csv_rows(file: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows by the line that they end in."""
    reader = csv.DictReader(file, skipinitialspace=True)
    try:
        for row in reader:
            if None in row:
                raise DataError(
                    f"line {reader.line_num}: it has more values than the header has columns; quote values that hold a "
                    "comma"
                )
            if any(row.values()):
                yield reader.line_num, {str(name).strip(): value for name, value in row.items()}
    except csv.Error as error:
        raise DataError(f"line {reader.line_num}: {error}") from error


def _json_rows(file: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:
            raise DataError(f"line {number}: it is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise DataError(
                f'line {number}: it holds {line.strip()[:40]}; expected an object, such as {{"video": "dog.mp4"}}'
            )
        yield number, row
