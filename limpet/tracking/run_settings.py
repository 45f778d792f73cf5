"""What the results of ``track`` depend on, and whether two runs are the same. Needs no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import Option, OutputError, VideoError
from limpet.core.tracker_protocol import AnyState, AnyTracker
from limpet.video.encode import EncoderMissingError, find_encoder
from limpet.video.image_reader import ImageReader, folder_images, pattern_images
from limpet.video.video_reader import VideoReader

_ENDS = 1 << 20  # bytes of a file that are looked at


def settings_of(
    reader: VideoReader,
    masks: Mapping[int, NDArray[np.uint8]],
    tracker: AnyTracker[AnyState],
    overlay: bool,
) -> dict[str, Any]:
    """All that the results depend on, as plain data for the report; a run goes on only with the same.

    Args:
        masks: given by frame, the first one under 0.
    """
    return {
        "source": reader.name,
        "video_fingerprint": _fingerprint(reader) if can_go_on(reader) else None,
        "masks_sha256": {str(index): _mask_sha256(mask) for index, mask in sorted(masks.items())},
        **tracker.facts(reader.size),
        "overlay": _encoder() if overlay else None,
    }


def can_go_on(reader: VideoReader) -> bool:
    """Whether what was read can be read again: files can, a camera, an address or a pipe cannot."""
    return isinstance(reader, ImageReader) or reader.path.is_file()


def check_can_go_on(reader: VideoReader) -> None:
    """Raises VideoError for a source of which a run cannot be resumed."""
    if not can_go_on(reader):
        raise VideoError(
            f"{reader.name} is a stream, whose frames cannot be read again, so that no run of it can be resumed; "
            "leave out ",
            Option("resume"),
            " and give a new folder",
        )


def check_same(was: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """That a run has the settings of the one in ``folder``.

    Raises:
        OutputError: it has others; names them.
    """
    was = {key: was.get(key) for key in now}
    if was != now:
        raise OutputError(
            f"{folder} holds a run with other settings: {differences(was, now)}; repeat the command with the "
            f"settings of that run, choose another folder, or pass ",
            Option("overwrite"),
            " instead of ",
            Option("resume"),
        )


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
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
