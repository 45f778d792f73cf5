"""Opens videos: files, folders of images, numbered patterns and streams."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limpet.core.errors import VideoError
from limpet.video.frame_sequence import FrameSequence
from limpet.video.image_reader import IMAGE_SUFFIXES, ImageReader, folder_images, pattern_images
from limpet.video.sources import Source, find_source
from limpet.video.video_reader import Frame, VideoReader

if TYPE_CHECKING:
    from limpet.video.frame_queue import OnWait

__all__ = ["VIDEO_SUFFIXES", "Frame", "VideoReader", "open_source", "open_video"]
VIDEO_SUFFIXES = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
        *(".wmv", ".flv", ".3gp", ".ogv"),
    )
)
"""Names of files that are looked for as videos in a folder; any other file may be named and opened."""


def open_video(source: str | Path) -> VideoReader:
    """Open a video; only the current frame is held in memory.

    Args:
        source: a video file (mp4, mov, mkv, webm, gif and others that FFmpeg reads), a folder of images (all
            of one size, in natural order of their names), or a pattern for such images: ``frame_%05d.jpg``
            or ``frame_*.png``. A name that exists is taken literally.

    Returns:
        A reader to use in ``with`` and ``for``: frames are uint8 (H, W, 3) RGB, rotated as they are displayed,
        each with its time in seconds. A frame that cannot be decoded has ``image=None``; of a truncated file the
        remaining frames are delivered. ``reader.failures`` lists both.

    Raises:
        VideoError: the file is missing, unreadable, not a video or without frames; the folder is empty; the pattern
            matches nothing; or the images differ in size.
    """
    if not str(source):  # Path("") would be the current folder
        raise VideoError(
            "the name of the video is empty; expected a video file, a folder of images, or a pattern"
        )
    path = Path(source)
    try:
        if path.is_dir():
            return ImageReader(path, folder_images(path))
        if path.is_file():
            return _open_file(path)
    except PermissionError as error:
        raise VideoError(f"no permission to read {path}; change its permissions or copy it") from error
    if "%" in path.name or glob.has_magic(str(path)):
        return ImageReader(path, pattern_images(path))
    raise VideoError(
        f"{path} does not exist; expected a video file, a folder of images, or a pattern such as frame_%05d.jpg"
    )


def open_source(
    named: str | Path | Source | Iterable[Any], mode: str | None = None, on_wait: OnWait | None = None
) -> VideoReader:
    """Open whatever ``open_video`` opens, or a stream.

    Args:
        named: also ``camera:0``, an address such as ``rtsp://…``, ``-`` for standard input, or a named pipe; or frames
            in memory, see ``FrameSequence``.
        mode: of a stream, "drop" or "block"; see ``StreamReader``.
        on_wait: called regularly while no frame of a stream arrives; an exception that it raises ends the waiting.

    Raises:
        VideoError: it cannot be read; or a mode is given for something that is not a stream.
    """
    if not isinstance(named, str | Path | Source):
        if mode is not None or not isinstance(named, Iterable):
            raise VideoError(
                f"the video is a {type(named).__name__}; expected a name, a stream, or frames uint8 (height, width, 3)"
            )
        return FrameSequence(named)
    source = named if isinstance(named, Source) else find_source(named)
    if source is None:
        if mode is not None:
            raise VideoError(
                f"{named} is not a stream: all of its frames are read; {mode} is for cameras, addresses and pipes"
            )
        return open_video(str(named))
    try:
        from limpet.video.stream import StreamReader
    except ImportError as error:
        raise VideoError(
            "streams are read with PyAV, which is not installed; install it with: pip install av"
        ) from error
    return StreamReader(source, mode, on_wait)


def _open_file(path: Path) -> VideoReader:
    if path.stat().st_size == 0:
        raise VideoError(f"{path} is empty (0 bytes); copy or download it again")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageReader(path, [path])
    try:
        from limpet.video.pyav_reader import PyAVReader
    except ImportError:  # PyAV has no wheel everywhere
        from limpet.video.opencv_reader import OpenCVReader

        return OpenCVReader(path)
    return PyAVReader(path)
