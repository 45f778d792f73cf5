"""What the page can download: one file each, made from the project."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from limpet.core.errors import ProjectError
from limpet.exchange.formats import FORMATS, write_masks
from limpet.project import Project
from limpet.project.mask_exchange import project_masks

OWN = {
    "masks": ("Masks", "an indexed PNG of every frame, in a zip"),
    "overlay": ("Overlay", "the video with the objects drawn over it, mp4"),
    "report": ("Report", "sizes and confidences, and where to look first, in a zip"),
}
"""What limpet writes by itself: name -> label and description. The exchange formats come besides."""
OnFrame = Callable[[int, int | None], None]


def exports() -> list[dict[str, str]]:
    """The exchange formats: what to ask for, a label, a description."""
    return [{"what": name, "label": name, "about": row.what} for name, row in FORMATS.items()]


def write_download(project: Project, what: str, folder: Path, on_frame: OnFrame) -> Path:
    """Write a download.

    Args:
        what: a key of ``OWN`` or of ``FORMATS``.
        folder: empty; the file comes into it.
        on_frame: called after each frame with the number of frames done and, if known, of all frames.

    Returns:
        The file, whose name the browser will use.

    Raises:
        ProjectError: ``what`` is none of them, or there is no object.
        LimpetError: the video or a mask cannot be read, or the file cannot be written.
    """
    name = project.path.resolve().name
    if project.problems:
        raise ProjectError(
            f"the project cannot be read whole: {'; '.join(project.problems)}; limpet project export writes the rest"
        )
    if not project.objects:
        raise ProjectError("the project has no object to export; add one first")
    if what == "masks":
        return _masks(project, folder / f"{name}-masks.zip", on_frame)
    if what in OWN:
        return _result(project, what, folder, name, on_frame)
    if what not in FORMATS:
        raise ProjectError(f"{what!r} cannot be exported; expected one of {', '.join([*OWN, *FORMATS])}")
    suffixes = FORMATS[what].suffixes
    out = folder / f"{name}-{what}{suffixes[0] if suffixes else ''}"
    write_masks(project_masks(project), out, what)
    return out if out.is_file() else _zipped(out)


def _masks(project: Project, path: Path, on_frame: OnFrame) -> Path:
    """All masks as they are stored, byte for byte."""
    frames = project.length
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for frame in range(frames):
            data = project.mask_bytes(frame)
            if data is not None:
                archive.writestr(f"masks/{frame:05d}.png", data)
            on_frame(frame + 1, frames)
    return path


def _result(project: Project, what: str, folder: Path, name: str, on_frame: OnFrame) -> Path:
    """One part of what ``limpet project export`` writes."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        result = Path(scratch) / name
        problems = project.export(result, overlay=what == "overlay", on_frame=on_frame).problems
        if problems:
            raise ProjectError(f"the result would not be complete: {'; '.join(problems)}")
        if what == "overlay":
            if not (result / "overlay.mp4").is_file():
                raise ProjectError("the overlay could not be written: this PyAV has no H.264 encoder")
            return (result / "overlay.mp4").replace(folder / f"{name}-overlay.mp4")
        shutil.rmtree(result / "masks")
        return _zipped(result).replace(folder / f"{name}-report.zip")


def _zipped(folder: Path) -> Path:
    """A folder as a zip beside it."""
    return Path(shutil.make_archive(str(folder), "zip", folder))
