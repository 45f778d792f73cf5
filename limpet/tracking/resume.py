"""Going on with a run of ``track`` that was killed: is it the same run, and from where."""

from __future__ import annotations

import hashlib
import importlib.metadata
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from limpet.errors import OutputError, VideoError
from limpet.state import TrackerState
from limpet.tracking.augment import AugmentedTracker
from limpet.tracking.checkpoint import latest
from limpet.tracking.policies import MB
from limpet.tracking.tracker import Tracker
from limpet.video.base import Frame, VideoReader
from limpet.video.encode import EncoderMissingError, find_encoder
from limpet.video.image_reader import ImageReader, folder_images, pattern_images
from limpet.video.row import ROW, Row
from limpet.video.work import WorkFolder
from limpet.video.writer import ResultFolder

_ENDS = 1 << 20
_LIBRARIES = ("limpet", "torch", "numpy", "av", "opencv-python-headless", "pillow")
_START_AGAIN = "pass --overwrite to start again from the first frame"


@dataclass(frozen=True)
class Point:
    """From where to go on.

    rows: of all frames that are done. state: of the tracker after the last of them. end: bytes of the journal so far.
    environment: what the frames were computed with.
    """

    rows: tuple[Row, ...]
    state: TrackerState
    end: int
    environment: dict[str, Any]


def can_go_on(reader: VideoReader) -> bool:
    """Whether what was read can be read again: files can, a camera, an address or a pipe cannot."""
    return isinstance(reader, ImageReader) or reader.path.is_file()


def check_can_go_on(reader: VideoReader) -> None:
    """Raises VideoError for a source of which a run cannot be resumed."""
    if not can_go_on(reader):
        raise VideoError(
            f"{reader.name} is a stream, whose frames cannot be read again, so that no run of it can be resumed; leave "
            "out --resume and give a new folder"
        )


def settings_of(
    reader: VideoReader,
    masks: Mapping[int, NDArray[np.uint8]],
    tracker: Tracker,
    overlay: bool,
) -> dict[str, Any]:
    """All that the results depend on, as plain data for the report; a run goes on only with the same.

    Args:
        masks: given by frame, the first one under 0.
    """
    policy = tracker.memory
    return {
        "source": reader.name,
        "video_fingerprint": _fingerprint(reader) if can_go_on(reader) else None,
        "masks_sha256": {str(index): _mask_sha256(mask) for index, mask in sorted(masks.items())},
        "model": tracker.name,
        "weights_sha256": tracker.weights_sha256,
        "precision": str(tracker.model.dtype).removeprefix("torch."),
        "network_size": list(tracker.sizes.network_size(*reader.size)),
        "augmentation": str(tracker.augmentation) if isinstance(tracker, AugmentedTracker) else None,
        "calibration": tracker.calibration and [tracker.calibration.slope, tracker.calibration.offset],
        "memory": policy.name,
        "memory_gap": policy.gap,
        "memory_most": policy.most,
        "memory_budget_mb": policy.max_bytes and policy.max_bytes / MB,
        "device": tracker.device.type,
        "overlay": _encoder() if overlay else None,
    }


def environment_of(tracker: Tracker) -> dict[str, Any]:
    """What may change the last bits of a result: versions, processor, threads."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "unknown"
    on_gpu = tracker.device.type == "cuda"
    device = torch.cuda.get_device_name(tracker.device) if on_gpu else torch.backends.cpu.get_cpu_capability()
    return {**versions, "processor": device, "threads": torch.get_num_threads()}


def check_same(was: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """That a run has the settings of the one in ``folder``.

    Raises:
        OutputError: it has others; names them.
    """
    was = {key: was.get(key) for key in now}
    if was != now:
        raise OutputError(
            f"{folder} holds a run with other settings: {_differences(was, now)}; repeat the command with the "
            f"settings of that run, choose another folder, or pass --overwrite instead of --resume"
        )


def find_point(folder: Path, settings: Mapping[str, Any]) -> Point | None:
    """Where the unfinished run in ``folder`` stands. Nothing is changed.

    Returns:
        None when it was killed before a state was saved.

    Raises:
        OutputError: it has other settings, or something that is needed is damaged; says what.
    """
    work = WorkFolder(folder)
    run, lines = work.read()
    check_same(run["settings"], settings, folder)
    found = latest(work.path, lines)
    if found is None:
        return None
    line, state = found
    count = line.facts["index"] + 1
    rows = {line.facts["index"]: Row.from_dict(line.facts) for line in lines if line.kind == ROW}
    point = Point(tuple(rows[index] for index in range(count)), state, line.end, run["environment"])
    _check_files(folder, point.rows)
    return point


def go_on(point: Point, results: ResultFolder, reader: VideoReader, tracker: Tracker) -> TrackerState:
    """Take up a run at ``point``: its results so far, and the tracker's state on the tracker's device."""
    WorkFolder(results.path).journal.cut(point.end)
    results.go_on(point.rows, reader.size)
    was, now = point.environment, environment_of(tracker)
    if was != now:
        results.notices.append(
            f"from frame {len(point.rows)} on computed with {_differences(was, now)}: pixels may differ from those "
            "of a run in one go"
        )
    return point.state.to(tracker.device)


def frames_left(point: Point | None, results: ResultFolder, reader: VideoReader) -> Iterator[Frame]:
    """The frames that are not done yet; how reading failed goes into the results with them."""
    done = len(point.rows) if point else 0
    told = 0
    for frame in reader.frames_from(_first_needed(point.rows) if point else 0):
        news, told = reader.failures[told:], len(reader.failures)
        if frame.index < done:  # its failures are known
            results.see_again(frame)
            continue
        results.failures.extend(news)
        yield frame
    results.failures.extend(reader.failures[told:])


def _first_needed(rows: tuple[Row, ...]) -> int:
    """The frame to read from: in the overlay's open piece, at most the last one done, and one with a picture."""
    last = rows[-1]
    index = min(last.index, last.overlay.frames if last.overlay else last.index)
    while not rows[index].decoded:  # it repeats the picture before
        index -= 1
    return index


def _check_files(folder: Path, rows: tuple[Row, ...]) -> None:
    for row in rows:
        path = folder / "masks" / f"{row.index:05d}.png"
        _check_sum(path, path.stat().st_size if path.is_file() else 0, row.mask_crc32)
    overlay = rows[-1].overlay
    if overlay is not None:
        _check_sum(WorkFolder(folder).overlay, overlay.nbytes, overlay.crc32)


def _check_sum(path: Path, size: int, expected: int) -> None:
    """That the first ``size`` bytes of a file are as they were written."""
    found, left = 0, size
    try:
        with path.open("rb") as file:
            while left and (block := file.read(min(left, _ENDS))):
                found, left = zlib.crc32(block, found), left - len(block)
    except OSError as error:
        raise OutputError(
            f"cannot go on: {path} cannot be read ({error.strerror}); {_START_AGAIN}"
        ) from error
    if left or found != expected:
        raise OutputError(f"cannot go on: {path} is not as the run wrote it; {_START_AGAIN}")


def _differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """``memory is bounded, was first; ...``."""
    names = [key for key in {**was, **now} if was.get(key) != now.get(key)]
    return ", ".join(f"{name} {_short(now.get(name))} instead of {_short(was.get(name))}" for name in names)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _encoder() -> str | None:
    try:
        return find_encoder()
    except EncoderMissingError:
        return None


def _mask_sha256(mask: NDArray[np.uint8]) -> str:
    return hashlib.sha256(f"{mask.shape}".encode() + mask.tobytes()).hexdigest()


def _fingerprint(reader: VideoReader) -> str:
    """Of a file: its length and its first and last MiB. Of images: their names and lengths. Its place may change."""
    digest = hashlib.sha256()
    if isinstance(reader, ImageReader):
        images = folder_images(reader.path) if reader.path.is_dir() else pattern_images(reader.path)
        for path in images:
            digest.update(f"{path.name} {path.stat().st_size}\n".encode())
    else:
        size = reader.path.stat().st_size
        with reader.path.open("rb") as file:
            digest.update(f"{size}\n".encode() + file.read(_ENDS))
            file.seek(max(0, size - _ENDS))
            digest.update(file.read(_ENDS))
    return digest.hexdigest()
