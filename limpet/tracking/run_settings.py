"""The settings that the results of ``track`` depend on, and whether two runs have the same. Needs no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import Option, OutputError, VideoError
from limpet.core.tracker_protocol import AnyState, AnyTracker, TrackerFacts
from limpet.video.encode import EncoderMissingError, find_encoder
from limpet.video.image_reader import ImageReader, folder_images, pattern_images
from limpet.video.video_reader import VideoReader

_ENDS = 1 << 20  # bytes at either end of a file that its fingerprint is made of
_RENAMED = {"memory_most": "memory_max_frames"}
"""Settings that earlier versions wrote under another name."""


@dataclass(frozen=True)
class RunSettings:
    """All that the results of a run depend on; a run is resumed only with the same.

    source: name of the video. video_fingerprint: hash by which it is recognised; None for a stream.
    masks_sha256: of the given masks, by the index of their frame.
    tracker: see TrackerFacts.
    overlay: which encoder writes the overlay video; None for no overlay.
    max_frames, max_seconds: where to stop, or None.
    """

    source: str
    video_fingerprint: str | None
    masks_sha256: Mapping[str, str]
    tracker: TrackerFacts
    overlay: str | None
    max_frames: int | None
    max_seconds: float | None

    def as_dict(self) -> dict[str, Any]:
        """As the report and the journal hold it: one level, with the facts of the tracker among the rest."""
        facts: dict[str, Any] = {}
        for name, value in asdict(self).items():
            facts |= self.tracker.as_dict() if name == "tracker" else {name: value}
        return facts


def settings_of(
    reader: VideoReader,
    masks: Mapping[int, NDArray[np.uint8]],
    tracker: AnyTracker[AnyState],
    overlay: bool,
    max_frames: int | None = None,
    max_seconds: float | None = None,
) -> RunSettings:
    """The settings of a run.

    Args:
        masks: the given masks, uint8 (H, W), by frame; the first one under 0.
        overlay: whether overlay.mp4 is written.
        max_frames, max_seconds: where to stop.
    """
    return RunSettings(
        source=reader.name,
        video_fingerprint=_fingerprint(reader) if can_read_again(reader) else None,
        masks_sha256={str(index): _mask_sha256(mask) for index, mask in sorted(masks.items())},
        tracker=tracker.facts(reader.size),
        overlay=_encoder() if overlay else None,
        max_frames=max_frames,
        max_seconds=max_seconds,
    )


def can_read_again(reader: VideoReader) -> bool:
    """Whether the frames can be read a second time: those of files can, those of a camera, address or pipe cannot."""
    return isinstance(reader, ImageReader) or reader.path.is_file()


def check_can_read_again(reader: VideoReader) -> None:
    """Raises VideoError for a stream, of which no run can be resumed."""
    if not can_read_again(reader):
        raise VideoError(
            f"{reader.name} is a stream, whose frames cannot be read again, so that no run of it can be resumed; "
            "leave out ",
            Option("resume"),
            " and give a new folder",
        )


def check_same(was: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Checks that a run has the settings of the one in ``folder``.

    Args:
        was, now: as ``RunSettings.as_dict`` gives them; other keys of ``was`` are ignored.

    Raises:
        OutputError: it has others; the message names them.
    """
    was = {_RENAMED.get(key, key): value for key, value in was.items()}
    was = {key: was.get(key) for key in now}
    if now.get("video_fingerprint") is not None and was["video_fingerprint"] == now["video_fingerprint"]:
        was["source"] = now["source"]  # a video is known by its bytes, whatever it is called
    if was != now:
        raise OutputError(
            f"{folder} holds a run with other settings: {differences(was, now)}; repeat the command with the "
            f"settings of that run, choose another folder, or pass ",
            Option("overwrite"),
            " instead of ",
            Option("resume"),
        )


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The settings that differ: ``memory bounded instead of first, ...``."""
    names = [key for key in {**was, **now} if was.get(key) != now.get(key)]
    return ", ".join(_difference(name, was.get(name), now.get(name)) for name in names)


def _difference(name: str, was: Any, now: Any) -> str:
    if name == "video_fingerprint":
        return "another video, or one that was changed"
    if name != "masks_sha256" or not isinstance(was, Mapping) or not isinstance(now, Mapping):
        return f"{name} {_short(now)} instead of {_short(was)}"
    frames = sorted({*was, *now}, key=lambda frame: (len(frame), frame))
    words = {
        frame: "no mask" if frame not in now else "a mask" if frame not in was else "another mask"
        for frame in frames
        if was.get(frame) != now.get(frame)
    }
    return ", ".join(f"{word} for frame {frame}" for frame, word in words.items())


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
    """A hash of a file's length and its first and last MiB, or of the names and lengths of images; not of the path."""
    digest = hashlib.sha256()
    if isinstance(reader, ImageReader):
        images = folder_images(reader.path) if reader.path.is_dir() else pattern_images(reader.path)
        for path in images:
            nbytes = path.stat().st_size if path.exists() else -1  # a link may lead nowhere
            digest.update(f"{path.name} {nbytes}\n".encode())
    else:
        size = reader.path.stat().st_size
        with reader.path.open("rb") as file:
            digest.update(f"{size}\n".encode() + file.read(_ENDS))
            file.seek(max(0, size - _ENDS))
            digest.update(file.read(_ENDS))
    return digest.hexdigest()
