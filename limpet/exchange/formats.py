"""The table of exchange formats: reading and writing by name, and how the format of a file is recognised."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from limpet.core.errors import MaskError, OutputError
from limpet.core.files import check_free, output_error, temporary_name
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence
from limpet.exchange.options import ConversionOptions
from limpet.exchange.result_masks import is_result, read_folder, read_result
from limpet.exchange.untrusted import damage_told, open_zip, read_text


@dataclass(frozen=True)
class ExchangeFormat:
    """One row of the table.

    module: with ``read`` and ``write``. suffixes: of the file that is written; none: it is a folder.
    what: in words. variant: which kind of the format ``write`` is to make. times: whether it holds those of frames.
    """

    module: str
    suffixes: tuple[str, ...]
    what: str
    variant: str = ""
    times: bool = True


FORMATS: dict[str, ExchangeFormat] = {
    "coco": ExchangeFormat("coco", (".json",), "COCO: an image per frame, RLE or polygons"),
    "youtube-vis": ExchangeFormat(
        "youtube_vis", (".json",), "YouTube-VIS: a track per object, RLE or polygons"
    ),
    "youtube-vis-results": ExchangeFormat(
        "youtube_vis",
        (".json",),
        "YouTube-VIS results: an RLE track and a score per object",
        "results",
        times=False,
    ),
    "cvat-video": ExchangeFormat(
        "cvat_video", (".xml", ".zip"), "CVAT for video 1.1: a track of masks per object"
    ),
    "cvat-mask": ExchangeFormat(
        "cvat_mask", (".zip",), "CVAT segmentation mask 1.1: pictures of classes and objects", times=False
    ),
    "mots-txt": ExchangeFormat("mots_txt", (".txt",), "MOTS text: a line per object and frame", times=False),
    "mots-png": ExchangeFormat("mots_png", (), "MOTS pictures of 16 bits", times=False),
    "sa-v": ExchangeFormat("sa_v", (".json",), "SA-V: RLE in every fourth frame"),
    "label-studio": ExchangeFormat(
        "label_studio", (".json",), "Label Studio: a box per object and frame", "videorectangle"
    ),
    "label-studio-vector": ExchangeFormat(
        "label_studio", (".json",), "Label Studio: outlines (VideoVector)", "videovector"
    ),
    "supervisely": ExchangeFormat("supervisely", (), "Supervisely: a project with one video"),
    "alpha-prores": ExchangeFormat("alpha_video", (), "A ProRes 4444 video with alpha per object", "prores"),
    "alpha-vp9": ExchangeFormat("alpha_video", (), "A VP9 video with alpha per object", "vp9"),
    "alpha-qtrle": ExchangeFormat(
        "alpha_video", (), "A QuickTime Animation video per object, exact", "qtrle"
    ),
    "alpha-ffv1": ExchangeFormat("alpha_video", (), "An FFV1 video with alpha per object, exact", "ffv1"),
    "alpha-png": ExchangeFormat("alpha_video", (), "A video of PNGs with alpha per object, exact", "png"),
    "png-per-object": ExchangeFormat("object_png", (), "A folder of black and white PNGs per object"),
    "exr": ExchangeFormat("exr_layers", (), "OpenEXR with a layer per object"),
}
"""By name, as ``limpet convert --to`` takes it."""

_IN_JSON = {  # the first of these words in a JSON file says what it is
    r'\A\s*\[\s*\{(?=[^\[]*"segmentations"\s*:\s*\[)': "youtube-vis-results",
    r'"videos"\s*:\s*\[': "youtube-vis",
    r'"images"\s*:\s*\[': "coco",
    r'"masklet"\s*:\s*\[': "sa-v",
    r'"(?:videorectangle|videovector)|"data"\s*:\s*\{\s*"video"': "label-studio",
    r'"(?:objectKey|classTitle|framesCount)"\s*:': "supervisely",
}
_IN_ZIP: dict[str, str] = {"annotations.xml": "cvat-video", "labelmap.txt": "cvat-mask"}
_VIDEOS = {".mov", ".webm", ".mkv"}
_IN_FOLDER: dict[str, str] = {
    "instances/*.png": "mots-png",
    "*/ann/*.json": "supervisely",
    "*.exr": "exr",
    "*.mov": "alpha-prores",
    "*.webm": "alpha-vp9",
    "*.mkv": "alpha-ffv1",
    "objects.json": "png-per-object",
}


def read_masks(path: str | Path, format: str | None = None, sequence: str | None = None) -> MaskSequence:
    """Read the masks of a video from another program, a folder of results, or a folder of indexed PNGs.

    Args:
        path: a file or folder; nothing in it can lead to files elsewhere.
        format: a name of ``FORMATS``; None recognises it.
        sequence: the name of the video that is meant, where there are several.

    Raises:
        MaskError: it cannot be read; the message says why.
        MissingExtraError: the format needs a package that is not installed.

    >>> from limpet.demo.demo_clip import demo_masks
    >>> import tempfile
    >>> from limpet.core.masks import write_mask
    >>> folder = Path(tempfile.mkdtemp())
    >>> for index, mask in enumerate(demo_masks()[:3]):
    ...     write_mask(folder / f"{index:05d}.png", mask)
    >>> masks = read_masks(folder)
    >>> masks.size, list(masks.names), [frame.index for frame in masks]
    ((288, 512), [1, 2, 3], [0, 1, 2])
    """
    path = Path(path)
    if not path.exists():
        raise MaskError(f"{path} does not exist; expected a file of annotations, or a folder of masks")
    with damage_told(path):
        masks = _reader(path, format)(path, sequence)
    open_frames = masks.open_frames

    def frames() -> Iterator[MaskFrame]:
        with damage_told(path):
            yield from open_frames()

    masks.open_frames = frames
    return masks


def _reader(path: Path, format: str | None) -> Callable[[Path, str | None], MaskSequence]:
    if format is None and path.is_dir() and is_result(path):
        return read_result
    found = format or recognise(path)
    if found is None:
        return read_folder
    read: Callable[[Path, str | None], MaskSequence] = _module(found).read
    return read


def write_masks(
    masks: MaskSequence,
    out: str | Path,
    format: str,
    options: ConversionOptions | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write masks for another program; what is lost on the way is told in ``masks.notices``.

    Args:
        out: a file, or for formats of several files a folder, which must be new or empty.
        format: a name of ``FORMATS``.
        overwrite: replace an earlier file.

    Raises:
        OutputError: it cannot be written. MaskError: the masks cannot be read, or the format cannot have them.
    """
    row, out = _row(format), Path(out)
    options = replace(options or ConversionOptions(), variant=row.variant)
    if row.times and not masks.timed:
        masks.note(
            "the source states no frame rate: frames are counted at 24 per second; give a frame rate for another"
        )
    if not row.suffixes:
        with _whole_folder(out) as folder:
            _module(format).write(masks, folder, options)
        return
    if out.suffix.lower() not in row.suffixes:
        raise OutputError(
            f"{out} has another ending than {' or '.join(row.suffixes)}, as {format} files have"
        )
    check_free(out, overwrite)
    _module(format).write(masks, out, options)


def recognise(path: Path) -> str | None:
    """The name of the format of a file; None for a folder of pictures. Raises MaskError if it is unknown."""
    if path.is_dir():
        return next((name for inside, name in _IN_FOLDER.items() if any(path.glob(inside))), None)
    suffix = path.suffix.lower()
    found = None
    if suffix == ".json":
        text = read_text(path)
        places = {match.start(): name for word, name in _IN_JSON.items() if (match := re.search(word, text))}
        found = places[min(places)] if places else None
    elif suffix == ".zip":
        with open_zip(path) as archive:
            names = archive.namelist()
        found = next((name for end, name in _IN_ZIP.items() if any(n.endswith(end) for n in names)), None)
    elif suffix in _VIDEOS:
        found = "alpha-prores"
    else:
        found = next((name for name, row in FORMATS.items() if suffix in row.suffixes), None)
    if found is None:
        raise MaskError(
            f"{path} is of none of the formats that can be read: {', '.join(FORMATS)}; see docs/formats.md"
        )
    return found


def is_exchange_file(path: Path) -> bool:
    """Whether a path given for a mask names a file of an exchange format, and not a picture of the mask."""
    suffixes = {suffix for row in FORMATS.values() for suffix in row.suffixes} | {".zip"} | _VIDEOS
    return path.suffix.lower() in suffixes or path.is_dir()


def _row(format: str) -> ExchangeFormat:
    if format not in FORMATS:
        raise MaskError(f"there is no format {format!r}; the formats are {', '.join(FORMATS)}")
    return FORMATS[format]


def _module(format: str) -> Any:
    """The module with ``read`` and ``write``."""
    try:
        return import_module(f"limpet.exchange.{_row(format).module}")
    except ModuleNotFoundError as error:
        if error.name != "av":
            raise
        raise MaskError(
            f"{format} needs PyAV, which is not installed; install it with: pip install av"
        ) from error


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """A temporary folder, which becomes ``out`` on success. Raises OutputError if that is there and not empty."""
    temporary = temporary_name(out.parent / out.name if out.name else out)
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise OutputError(f"{out} exists and is not an empty folder; choose another one")
        temporary.mkdir()
        yield temporary
        if out.exists():
            out.rmdir()
        temporary.rename(out)
    except OSError as error:
        raise output_error(error, out) from error
    finally:
        with suppress(OSError):
            shutil.rmtree(temporary, ignore_errors=True)
