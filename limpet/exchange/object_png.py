"""PNGs of 8 bits in a folder per object, 0 or 255 in each pixel: mattes, as image sequences for compositors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from limpet.core.errors import MaskError
from limpet.exchange.frame_times import FrameTimes
from limpet.exchange.label_painter import LabelPainter
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence
from limpet.exchange.object_files import file_names, read_manifest, write_manifest
from limpet.exchange.options import ConversionOptions
from limpet.exchange.untrusted import open_picture


def write(sequence: MaskSequence, out: Path, options: ConversionOptions) -> None:
    """Write the folders into ``out``, frame by frame; frames without masks have no pictures."""
    files = file_names(sequence)
    for name in files.values():
        (out / name).mkdir()
    times = FrameTimes(sequence)
    for frame in sequence:
        times.add(frame)
        for number, name in files.items():
            matte = np.where(frame.labels == number, np.uint8(255), np.uint8(0))
            Image.fromarray(matte).save(out / name / f"{frame.index:05d}.png", compress_level=1)
    write_manifest(out, sequence, files, times.finish())


def read(path: Path, choice: str | None = None) -> MaskSequence:
    """The mattes of a folder with objects.json; pixels from 128 on are the object. Raises MaskError."""
    facts = read_manifest(path)

    def frames() -> Iterator[MaskFrame]:
        painter = LabelPainter(facts.size, max(facts.names, default=0))
        for index in range(len(facts.times)):
            files = {i: path / name / f"{index:05d}.png" for i, name in facts.files.items()}
            found = {i: file for i, file in files.items() if file.is_file()}
            for number, file in found.items():
                matte = open_picture(file, str(file), ("L", "1"))
                if matte.shape != facts.size:
                    raise MaskError(f"{file} has another size than objects.json says")
                painter.paint_mask(number, matte > 127 if matte.dtype == np.uint8 else matte > 0)
            labels = painter.finish()
            if found:
                yield MaskFrame(index, facts.time(index), labels, frozenset(found))
        for notice in painter.notice():
            sequence.note(notice)

    sequence = MaskSequence(facts.video, facts.size, facts.names, frames, len(facts.times), facts.frame_rate)
    return sequence
