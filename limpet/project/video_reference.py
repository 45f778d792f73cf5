"""The video of a project: stored as a relative path, and recognised by its length and first bytes."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limpet.core.errors import VideoError
from limpet.core.json_text import whole_number
from limpet.core.limits import frame_sizes, is_frame_size, limits
from limpet.video.image_reader import ImageReader, folder_images, pattern_images
from limpet.video.open import open_video
from limpet.video.video_reader import VideoReader

ESTIMATE_MARGIN = 2
"""The length that a video file states may be wrong by this many frames, because durations are rounded."""
_HEAD_BYTES = 1 << 20
_GIVE_IT = "if it was moved, set its path: limpet project video {folder} VIDEO"


@dataclass(frozen=True)
class VideoReference:
    """Where the video is and how it is recognised.

    path: relative to the project folder, with forward slashes; absolute only if it is on another drive.
    nbytes: size of the file, or of all images together.
    sha256_head: of the first MiB; for images, of their names and the first MiB of the first one.
    size: (H, W) in pixels. frames: how many there are. exact: whether they were counted, not estimated.
    """

    path: str
    nbytes: int
    sha256_head: str
    size: tuple[int, int]
    frames: int | None
    exact: bool

    def as_json(self) -> dict[str, Any]:
        """For project.json."""
        return {
            "path": self.path, "bytes": self.nbytes, "sha256_head": self.sha256_head,
            "size": list(self.size), "frames": self.frames, "frames_exact": self.exact,
        }  # fmt: skip

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> VideoReference:
        """What ``as_json`` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        height, width = (
            whole_number(side, "a side of the video", 1, limits().side) for side in content["size"]
        )
        if not is_frame_size(height, width):
            raise ValueError(f"the video is {height}x{width}; expected {frame_sizes()}")
        frames = content["frames"]
        if frames is not None:
            frames = whole_number(frames, "frames of the video", 0, limits().frames)
        return cls(
            str(content["path"]), whole_number(content["bytes"], "bytes of the video", 0, 1 << 63),
            str(content["sha256_head"]), (height, width), frames, bool(content["frames_exact"]),
        )  # fmt: skip

    @classmethod
    def of(cls, video: str | Path, folder: Path) -> VideoReference:
        """Describe a video for a project in ``folder``. Raises VideoError if it cannot be read."""
        with open_video(video) as reader:
            size, frames, exact = reader.size, reader.frame_count, isinstance(reader, ImageReader)
        nbytes, digest = fingerprint(Path(video))
        return cls(_path_from(folder, Path(video)), nbytes, digest, size, frames, exact)

    def located(self, folder: Path) -> Path:
        """Where the video should be."""
        return Path(os.path.normpath(folder.resolve() / self.path))

    def open(self, folder: Path) -> VideoReader:
        """A reader of the video that the project was made with.

        Raises:
            VideoError: it is missing, or another video.
        """
        path = self.located(folder)
        advice = _GIVE_IT.format(folder=folder)
        try:
            reader = open_video(path)
            nbytes, digest = fingerprint(path)
        except (VideoError, OSError) as error:
            raise VideoError(f"the video of the project cannot be read: {error}; {advice}") from error
        if (nbytes, digest) != (self.nbytes, self.sha256_head):
            reader.close()
            length = f"{nbytes} bytes instead of {self.nbytes}" if nbytes != self.nbytes else "other content"
            raise VideoError(
                f"{path} is not the video the project was made with ({length}), so that its masks do not fit; {advice}"
            )
        return reader


def image_files(path: Path) -> list[Path]:
    """The images that ``path`` names (a folder or a pattern), or the one file that it is."""
    if path.is_file():
        return [path]
    return folder_images(path) if path.is_dir() else pattern_images(path)


def fingerprint(path: Path) -> tuple[int, str]:
    """The number of bytes, and a sha256 that distinguishes videos without reading all of them."""
    files = image_files(path)
    digest = hashlib.sha256()
    if not path.is_file():
        digest.update("\n".join(file.name for file in files).encode())
    there = [file for file in files if file.exists()]  # a link may lead nowhere
    if there:
        with there[0].open("rb") as file:
            digest.update(file.read(_HEAD_BYTES))
    return sum(file.stat().st_size for file in there), digest.hexdigest()


def _path_from(folder: Path, video: Path) -> str:
    video = video.parent.resolve() / video.name  # a link to the video stays one
    try:
        return Path(os.path.relpath(video, folder.resolve())).as_posix()
    except ValueError:  # another drive
        return video.as_posix()
