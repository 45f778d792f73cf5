"""A video that grows as fragments under a temporary name, and becomes an ordinary mp4 when it is finished."""

from __future__ import annotations

import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from limpet.core.files import atomic_path, output_error
from limpet.video.encode import EncodedExtent, H264Writer, defragment


class OverlayVideo:
    """A video that gets its name when it is finished.

    Args:
        target: its name.
        fragments: the temporary file.
        size: (H, W) of the frames.
        after: continue temporary fragments that hold this much.
        pixel_aspect: width of a pixel by its height.

    Raises:
        EncoderMissingError: there is no H.264 encoder. OutputError: it cannot be written.
    """

    def __init__(
        self,
        target: Path,
        fragments: Path,
        size: tuple[int, int],
        frame_rate: Fraction | None,
        after: EncodedExtent | None = None,
        pixel_aspect: Fraction = Fraction(1),
    ) -> None:
        self._target, self._fragments = target, fragments
        try:
            self._writer = H264Writer(fragments, size, frame_rate, after, pixel_aspect)
        except OSError as error:
            if after is None:
                self.discard()
            raise output_error(error, target) from error

    @property
    def written(self) -> EncodedExtent:
        """How much is in closed segments."""
        return self._writer.written

    def write(self, image: NDArray[np.uint8], time: float) -> None:
        """Append a picture, uint8 (H, W, 3) RGB. Raises OutputError."""
        try:
            self._writer.write(image, time)
        except OSError as error:
            raise output_error(error, self._target) from error

    def finish(self, keep: bool) -> None:
        """Close the video and give it its name; on a full disk it keeps what was written, which still plays.

        Args:
            keep: leave the fragments in place, so that a later run can continue them.

        Raises:
            OutputError: it fails; what was written stays.
        """
        try:
            try:
                self._writer.close()
            finally:
                if self._fragments.exists():
                    self._publish(keep)
        except OSError as error:
            raise output_error(error, self._target) from error

    def _publish(self, keep: bool) -> None:
        try:
            with atomic_path(self._target) as whole:
                defragment(self._fragments, whole)
        except Exception:  # for instance no room for two copies: the fragments play too
            if not keep:
                self._fragments.replace(self._target)
                return
            with suppress(OSError):
                self._target.unlink(missing_ok=True)
                os.link(self._fragments, self._target)
            return
        if not keep:
            self._fragments.unlink()

    def discard(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError, AttributeError):
            self._writer.close()
        with suppress(OSError):
            self._fragments.unlink(missing_ok=True)
