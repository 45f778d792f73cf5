"""Why a file that is not readable as a video is not."""

from __future__ import annotations

from pathlib import Path

from limpet.errors import VideoError


def not_a_video(path: Path) -> VideoError:
    """The error for a file that no demuxer opens; an MP4 without its index gets its own sentence."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] in (b"ftyp", b"mdat", b"wide"):
        return VideoError(
            f"{path} is an MP4/MOV whose index (the moov atom) is missing or damaged, so no frame can be "
            "found: the recording or download was cut off; copy it again, or repair it (untrunc does that)"
        )
    return VideoError(f"{path} is not a video that can be read; expected mp4, mov, mkv, webm or gif")
