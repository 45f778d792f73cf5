"""Video files through OpenCV: the fallback where PyAV is not installed."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import VideoError
from limpet.video.video_reader import ASSUMED_RATE, FailureKind, Frame, ReadFailure, VideoReader, not_a_video

_ATTEMPTS = 32
"""Failed reads in a row after which a video counts as finished: OpenCV does not distinguish damage from the end."""


class OpenCVReader(VideoReader):
    """A video file through ``cv2.VideoCapture``: rotation is applied by OpenCV, times are the file's own.

    OpenCV hides packets that its decoder rejects, so a damaged frame is noticed only when ``read`` fails; the
    PyAV reader detects more.

    Raises:
        VideoError: it is not a video, or no frame can be decoded.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        capture = self._capture()
        rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        capture.release()
        self.frame_rate = Fraction(rate).limit_denominator(1001) if 0 < rate < 1000 else None
        self.frame_count = int(count) if 0 < count < 2**31 else None
        for frame in self._frames():
            if frame.image is not None:
                self.size = (frame.image.shape[0], frame.image.shape[1])
                break
        else:
            raise VideoError(f"{path} contains no frame that can be decoded; check that the file is complete")
        self.failures.clear()

    def _capture(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self.path.absolute()), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise not_a_video(self.path)
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        return capture

    def _frames(self) -> Generator[Frame, None, None]:
        capture = self._capture()
        try:
            yield from self._read_all(capture)
        finally:
            capture.release()

    def _read_all(self, capture: cv2.VideoCapture) -> Generator[Frame, None, None]:
        clock = _Clock(self.frame_rate or ASSUMED_RATE)
        index = 0
        while True:
            missed, image = self._next(capture, index)
            if image is None:
                break
            for _ in range(missed):
                self.failures.append(ReadFailure(FailureKind.UNREADABLE, index, "could not be decoded"))
                yield Frame(index, None, clock.guess())
                index += 1
            yield Frame(index, image, clock.shown_at(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000))
            index += 1
        if self.frame_count and index < self.frame_count:
            detail = f"of {self.frame_count} frames: cut off or damaged"
            self.failures.append(ReadFailure(FailureKind.CUT_OFF, index, detail))

    def _next(self, capture: cv2.VideoCapture, index: int) -> tuple[int, NDArray[np.uint8] | None]:
        left = (self.frame_count or index + 1) - index
        for missed in range(max(1, min(left, _ATTEMPTS))):
            done, bgr = capture.read()
            if done:
                return missed, np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
        return 0, None


class _Clock:
    """Times since the first frame that never decrease, estimated where the file has none."""

    def __init__(self, rate: Fraction) -> None:
        self._step = float(1 / rate)
        self._origin: float | None = None
        self._last = -self._step

    def guess(self) -> float:
        self._last += self._step
        return self._last

    def shown_at(self, stamp: float) -> float:
        if self._origin is None:
            self._origin = stamp - (self._last + self._step)
        time = stamp - self._origin
        if time <= self._last:
            return self.guess()
        self._last = time
        return time
