"""Frames that are in memory, or that a generator makes, as a video."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sized
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from limpet.core.errors import VideoError
from limpet.core.sizes import check_frame
from limpet.video.video_reader import ASSUMED_RATE, Frame, VideoReader


class FrameSequence(VideoReader):
    """A list, an array or a tensor (T, H, W, 3), or a generator, of frames uint8 (H, W, 3) RGB; 24 a second.

    A generator can be read once. A run over such frames cannot be resumed, since nothing says that they are the same.

    Raises:
        VideoError: there is no frame, or something in it is not a frame.
    """

    def __init__(self, frames: Iterable[Any]) -> None:
        super().__init__(Path())
        self.name = "frames"
        self.frame_count = len(frames) if isinstance(frames, Sized) else None
        self._once: Iterator[Any] | None = None
        self._images = frames
        images = iter(frames)
        first = next(images, None)
        if first is None:
            raise VideoError(
                "the video is an empty sequence; expected frames, uint8 (height, width, 3) in RGB order"
            )
        self.size = _picture(first).shape[:2]
        if images is frames:
            self._once = chain([first], images)

    def _frames(self) -> Generator[Frame, None, None]:
        images = iter(self._images) if self._once is None else self._once
        for index, image in enumerate(images):
            picture = _picture(image)
            if picture.shape[:2] != self.size:
                raise VideoError(
                    f"frame {index} is {picture.shape[0]}x{picture.shape[1]} but the first is "
                    f"{self.size[0]}x{self.size[1]}; all frames must have one size"
                )
            yield Frame(index, picture, float(index / ASSUMED_RATE))

    def known_length(self) -> int | None:
        return self.frame_count


def _picture(image: Any) -> Any:
    picture = image if isinstance(image, np.ndarray) else np.asarray(image)
    check_frame(picture)
    return picture
