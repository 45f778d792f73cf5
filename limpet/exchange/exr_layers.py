"""OpenEXR with a layer per object, 32-bit floats of 0 and 1, for compositors; it needs the package OpenEXR."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from limpet.core.errors import MaskError, MissingExtraError
from limpet.exchange.frame_times import FrameTimes
from limpet.exchange.label_painter import LabelPainter
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence
from limpet.exchange.object_files import file_names, read_manifest, write_manifest
from limpet.exchange.options import ConversionOptions

_MOST_BYTES = 1 << 31
"""Of the layers of one frame, which are in memory together."""


def write(sequence: MaskSequence, out: Path, options: ConversionOptions) -> None:
    """Write ``00000.exr`` … into ``out``, one per frame, each with all layers.

    Raises:
        MissingExtraError: OpenEXR is not installed. MaskError: all layers together would not fit the memory.
    """
    exr = _openexr()
    layers = {i: name.replace(".", "_") for i, name in file_names(sequence).items()}
    nbytes = len(layers) * sequence.size[0] * sequence.size[1] * 4
    if nbytes > _MOST_BYTES:
        raise MaskError(
            f"{len(layers)} layers of {sequence.size[0]}x{sequence.size[1]} take {nbytes >> 20} MiB a frame; at most "
            f"{_MOST_BYTES >> 20} are written: use png-per-object"
        )
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    times = FrameTimes(sequence)
    for frame in sequence:
        times.add(frame)
        channels = {f"{layer}.mask": (frame.labels == i).astype(np.float32) for i, layer in layers.items()}
        channels = channels or {
            "mask": np.zeros(sequence.size, np.float32)
        }  # a file without channels is invalid
        exr.File(dict(header), channels).write(str(out / f"{frame.index:05d}.exr"))
    write_manifest(out, sequence, layers, times.finish())


def read(path: Path, choice: str | None = None) -> MaskSequence:
    """The layers of a folder with objects.json; values from 0.5 on are the object. Raises MaskError."""
    exr = _openexr()
    facts = read_manifest(path)

    def frames() -> Iterator[MaskFrame]:
        painter = LabelPainter(facts.size, max(facts.names, default=0))
        for index in range(len(facts.times)):
            file = path / f"{index:05d}.exr"
            if not file.is_file():
                continue
            channels = _channels(exr, file, facts.size)
            for number, layer in facts.files.items():
                if f"{layer}.mask" not in channels:
                    raise MaskError(f"{file} has no layer {layer}")
                painter.paint_mask(number, channels[f"{layer}.mask"].pixels >= 0.5)
            yield MaskFrame(index, facts.time(index), painter.finish())
        for notice in painter.notice():
            sequence.note(notice)

    sequence = MaskSequence(facts.video, facts.size, facts.names, frames, len(facts.times), facts.frame_rate)
    return sequence


def _channels(exr: Any, file: Path, size: tuple[int, int]) -> Any:
    try:
        low, high = exr.File(str(file), header_only=True).header()["dataWindow"]
        if (int(high[1] - low[1]) + 1, int(high[0] - low[0]) + 1) != tuple(size):
            raise MaskError(f"{file} has another size than objects.json says")
        return exr.File(str(file), separate_channels=True).channels()
    except (RuntimeError, ValueError, OSError, LookupError) as error:
        raise MaskError(f"{file} cannot be read as OpenEXR ({error})") from error


def _openexr() -> Any:
    try:
        import OpenEXR
    except ImportError as error:
        raise MissingExtraError("writing and reading EXR", "exr", "OpenEXR") from error
    return OpenEXR
