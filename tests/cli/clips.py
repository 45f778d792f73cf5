"""Made-up clips with two objects: what somebody might bring, in every form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.core.masks import write_mask

SIZE = (49, 65)
"""(H, W): odd on purpose."""
IDS = (7, 200)
Picture = NDArray[np.uint8]


def picture(index: int, size: tuple[int, int] = SIZE) -> Picture:
    """Frame ``index``: textured grey with a red and a blue square that move to the right."""
    height, width = size
    image = np.random.default_rng(0).integers(90, 130, (height, width, 3), dtype=np.uint8)
    mask = first_mask(size)
    for number, colour in zip(IDS, ((220, 30, 30), (30, 30, 220)), strict=True):
        image[np.roll(mask == number, index % 8, axis=1)] = colour
    return image


def first_mask(size: tuple[int, int] = SIZE) -> Picture:
    """uint8 (H, W): object 7 at the top left, object 200 below the middle."""
    height, width = size
    mask = np.zeros(size, np.uint8)
    mask[4 : height // 3, 4 : width // 3] = IDS[0]
    mask[height // 2 : -6, width // 4 : width // 2] = IDS[1]
    return mask


def write_first_mask(path: Path, size: tuple[int, int] = SIZE) -> Path:
    write_mask(path, first_mask(size))
    return path


def write_video(path: Path, pictures: Sequence[Picture], codec: str = "libx264") -> Path:
    """A video at 25 frames a second; mp4 with its index in front."""
    options = {"movflags": "faststart"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv444p"  # 4:2:0 knows no odd sizes
        stream.options = {"g": "10"} if codec == "libx264" else {}
        for image in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def write_images(folder: Path, pictures: Sequence[Picture], name: str = "frame_{:03d}.png") -> Path:
    folder.mkdir(parents=True)
    for index, image in enumerate(pictures):
        Image.fromarray(image).save(folder / name.format(index))
    return folder


def masks_of(result: Path) -> list[Picture]:
    """The masks of a folder of results, whole and in order; each must be an indexed PNG."""
    found = []
    for index, path in enumerate(sorted((result / "masks").iterdir())):
        assert path.name == f"{index:05d}.png"
        with Image.open(path) as image:
            assert image.mode == "P" and image.getpalette() is not None
            found.append(np.array(image))
    return found


def frames_in(video: Path) -> int:
    """How many frames play."""
    with av.open(str(video)) as container:
        return sum(1 for _ in container.decode(video=0))
