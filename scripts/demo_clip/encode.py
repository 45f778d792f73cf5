"""Writes the clip as h264 and its masks as a zip of palette PNGs, byte for byte the same at every run."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
from PIL import Image

from limpet.core.files import atomic_path

BT709 = 1
QUALITY = "17"  # x264's constant rate factor: no visible loss
PALETTE = (0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0)  # the first four colours of DAVIS


def write_video(path: Path, frames: Iterable[np.ndarray], size: tuple[int, int], frame_rate: int) -> None:
    """Writes uint8 (H, W, 3) RGB frames of `size` (H, W) to an mp4 file."""
    with atomic_path(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        # one thread: the output of x264 depends on how many it uses
        stream = container.add_stream("libx264", rate=frame_rate, options={"crf": QUALITY, "preset": "slow"})
        stream.thread_count = 1
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = size
        context = stream.codec_context  # colours that are not declared look different in each player
        context.colorspace = context.color_primaries = context.color_trc = context.color_range = BT709
        for image in frames:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_masks(path: Path, masks: Iterable[np.ndarray]) -> None:
    """Writes uint8 (H, W) masks with ids 0 to 3 as 00000.png, 00001.png … in a zip file."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for index, mask in enumerate(masks):
            # without a date of its own the entry would carry the time of the run
            archive.writestr(zipfile.ZipInfo(f"{index:05d}.png"), _png(mask))


def _png(mask: np.ndarray) -> bytes:
    image = Image.fromarray(mask, mode="P")
    image.putpalette(PALETTE)
    file = io.BytesIO()
    image.save(file, "png", optimize=True, bits=2)
    return file.getvalue()
