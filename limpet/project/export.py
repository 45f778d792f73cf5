"""From a project to the folder of results that ``limpet track`` writes: masks, overlay, report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limpet.project.view import ProjectView
from limpet.video.writer import ResultFolder


@dataclass(frozen=True)
class Exported:
    """frames: written. bare: of those, frames without a mask, which are all background. notices: what else to know."""

    folder: Path
    frames: int
    bare: tuple[int, ...]
    notices: tuple[str, ...]


def export(
    project: ProjectView,
    out: str | Path,
    *,
    overwrite: bool = False,
    overlay: bool = True,
    on_frame: Callable[[int, int | None], None] | None = None,
) -> Exported:
    """Write ``masks/00000.png`` … for every frame of the video, ``overlay.mp4`` and the report.

    The masks are the project's byte for byte; a frame without one is background, and is reported.

    Args:
        out: a new or empty folder, or with ``overwrite`` an earlier result.
        overlay: also write overlay.mp4.
        on_frame: called after each frame with the frames done and, if known, all.

    Raises:
        VideoError: the video is missing or another one. OutputError: ``out`` cannot be used.
        ProjectError: a mask is missing or damaged.
    """
    bare: list[int] = []
    with project.open_video() as reader:
        results = ResultFolder(
            out,
            overwrite=overwrite,
            size=reader.size,
            frame_rate=reader.frame_rate,
            object_ids=tuple(project.objects),
            info={"source": reader.name},
            overlay=overlay,
        )
        results.failures = reader.failures
        with results:
            for frame in reader:
                mask = project.mask(frame.index)
                if mask is None:
                    bare.append(frame.index)
                    mask = np.zeros(project.size, np.uint8)
                results.add(frame, mask, project.confidence(frame.index))
                if on_frame is not None:
                    on_frame(results.frames_written, reader.frame_count)
            if bare:
                results.notices.append(
                    f"{len(bare)} frames have no mask and are all background: {spans(bare)}"
                )
    return Exported(results.path, results.frames_written, tuple(bare), tuple(results.notices))


def spans(frames: Sequence[int], most: int = 8) -> str:
    """``[0, 1, 2, 7]`` -> ``0-2, 7``; after ``most`` spans it says how many more there are."""
    found: list[list[int]] = []
    for frame in frames:
        if found and frame == found[-1][1] + 1:
            found[-1][1] = frame
        else:
            found.append([frame, frame])
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in found]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
