"""The folder of results: a mask for every frame, an overlay video and a report, safe at every moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from limpet.errors import OutputError
from limpet.files import atomic_path, output_error, temporary_name
from limpet.video.base import Frame
from limpet.video.earlier import earlier_files
from limpet.video.encode import EncoderMissingError, H264Writer, defragment
from limpet.video.masks import write_mask
from limpet.visual.overlay import draw_overlay
from limpet.visual.report import Report


class ResultFolder:
    """Writes ``masks/00000.png`` ..., ``overlay.mp4``, ``report.json``, ``report.html`` and ``report.png``.

    Use it in ``with``. Every file appears whole or not at all: each mask as soon as its frame is done, the
    overlay and the report on leaving, also after Ctrl-C or an error (then the report says it is not
    complete). Nothing on disk changes before the first ``add``, apart from making the folder.

    Args:
        out_dir: the folder; made if need be. One that is not empty is refused.
        overwrite: replace an earlier result in ``out_dir``: only its own files are removed. A folder with
            things of the same names that are not from limpet is refused all the same.
        size: (H, W) of the frames in pixels; taken from the first mask when None.
        frame_rate: the input's; frames keep their own time stamps whatever it is.
        object_ids: objects known at the start; others may appear in any mask later.
        info: for the report: "source", "model", "weights_sha256" and more.
        overlay: also write overlay.mp4; without an h264 encoder it is left out with a notice.

    Attributes:
        frames_written: frames whose mask, overlay and row in the report are done.
        failures: sentences for the report, e.g. set to the reader's own growing list.
        notices: what else the person should know; grows while writing, is in the report.

    Raises:
        OutputError: when the folder cannot be used, or writing fails (no space, no permission).
    """

    def __init__(
        self,
        out_dir: str | Path,
        *,
        overwrite: bool = False,
        size: tuple[int, int] | None = None,
        frame_rate: Fraction | None = None,
        object_ids: Sequence[int] = (),
        info: Mapping[str, Any] | None = None,
        overlay: bool = True,
    ) -> None:
        self.path = Path(out_dir)
        self.frames_written = 0
        self.report = Report(size=size, frame_rate=frame_rate, object_ids=object_ids, info=info)
        self._frame_rate = frame_rate
        self._wants_overlay = overlay
        self._overlay: _Overlay | None = None
        self._last_image: NDArray[np.uint8] | None = None
        self._pending: Path | None = None
        self._made: list[Path] = []
        self._started = False
        self._earlier = earlier_files(self.path, overwrite)

    @property
    def failures(self) -> list[str]:
        return self.report.failures

    @failures.setter
    def failures(self, failures: list[str]) -> None:
        self.report.failures = failures

    @property
    def notices(self) -> list[str]:
        return self.report.notices

    def __enter__(self) -> Self:
        for folder in reversed([self.path, *self.path.parents]):
            try:
                if not folder.is_dir():
                    folder.mkdir()
                    self._made.append(folder)
            except OSError as error:
                self._remove_made()
                raise output_error(error, self.path) from error
        self._check_writable()
        return self

    def add(self, frame: Frame, mask: NDArray[np.uint8], confidence: Mapping[int, float]) -> None:
        """Write one frame's results; frames come in order, none left out.

        Args:
            frame: as read; with ``image=None`` the overlay shows the last picture again.
            mask: uint8 (H, W) of object ids, in the frame's own size.
            confidence: object id -> 0..1; missing objects count as unknown.

        Raises:
            OutputError: when writing fails; earlier frames stay.
            ValueError: when the mask has another size than the picture, or a frame was left out.
        """
        if frame.image is not None and mask.shape != frame.image.shape[:2]:
            raise ValueError(f"mask is {mask.shape} but the frame is {frame.image.shape[:2]}")
        if not self._started:
            self._start(mask)
        path = self.path / "masks" / f"{frame.index:05d}.png"
        self._pending = path
        write_mask(path, mask)
        self._draw(frame, mask)
        self.report.add(frame.index, frame.time, mask, confidence, decoded=frame.image is not None)
        self.frames_written += 1
        self._pending = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if (
            self._pending is not None
        ):  # stopped within a frame: its mask goes, as the report has no row for it
            with suppress(OSError):
                self._pending.unlink(missing_ok=True)
        if self.frames_written == 0:
            self._discard()
            return
        self.report.complete = error is None
        self.report.stopped_by = _stopped_by(error)
        try:
            try:
                if self._overlay is not None:
                    self._overlay.finish()
            finally:
                self.report.write(self.path)
        except OutputError:
            if error is None:  # never hide what went wrong first
                raise

    def _start(self, mask: NDArray[np.uint8]) -> None:
        """Remove the earlier result, leave a report that marks the folder as ours, open the overlay."""
        masks = self.path / "masks"
        self._started = True
        try:
            for path in self._earlier:
                path.unlink(missing_ok=True)
            masks.mkdir(exist_ok=True)
        except OSError as error:
            raise output_error(error, masks) from error
        self.report.write_json(self.path)
        if self._wants_overlay:
            try:
                self._overlay = _Overlay(
                    self.path / "overlay.mp4", (mask.shape[0], mask.shape[1]), self._frame_rate
                )
            except EncoderMissingError as error:
                self.notices.append(f"overlay.mp4 was left out: {error}")

    def _draw(self, frame: Frame, mask: NDArray[np.uint8]) -> None:
        strip = self.report.strip
        self._last_image = frame.image if frame.image is not None else self._last_image
        if self._overlay is None and not strip.wants():
            strip.skip()
            return
        image = self._last_image if self._last_image is not None else np.zeros((*mask.shape, 3), np.uint8)
        drawn = draw_overlay(image, mask)
        if self._overlay is not None:
            self._overlay.write(drawn, frame.time)
        if strip.wants():
            strip.add(frame.index, frame.time, drawn)
        else:
            strip.skip()

    def _check_writable(self) -> None:
        probe = temporary_name(self.path / "report.json")
        try:
            probe.touch()
            probe.unlink()
        except OSError as error:
            self._remove_made()
            raise output_error(error, self.path) from error

    def _discard(self) -> None:
        """Nothing was written: leave nothing behind."""
        if self._overlay is not None:
            self._overlay.discard()
        if self._started:
            with suppress(OSError):
                (self.path / "report.json").unlink(missing_ok=True)
                (self.path / "masks").rmdir()
        self._remove_made()

    def _remove_made(self) -> None:
        for folder in reversed(self._made):
            with suppress(OSError):  # somebody else put a file there meanwhile
                folder.rmdir()
        self._made.clear()


class _Overlay:
    """overlay.mp4 under a temporary name until it is finished."""

    def __init__(self, target: Path, size: tuple[int, int], frame_rate: Fraction | None) -> None:
        self._target, self._temporary = target, temporary_name(target)
        try:
            self._writer = H264Writer(self._temporary, size, frame_rate)
        except OSError as error:
            self.discard()
            raise output_error(error, target) from error

    def write(self, image: NDArray[np.uint8], time: float) -> None:
        try:
            self._writer.write(image, time)
        except OSError as error:
            raise output_error(error, self._target) from error

    def finish(self) -> None:
        """Close the video and give it its name; on a full disk it keeps what it has, which still plays."""
        try:
            try:
                self._writer.close()
                self._make_whole()
            finally:
                if self._temporary.exists():
                    self._temporary.replace(self._target)
        except OSError as error:
            raise output_error(error, self._target) from error

    def _make_whole(self) -> None:
        # Whatever stands against it (two copies need room for a moment): the fragments play too.
        with suppress(Exception), atomic_path(self._target) as whole:
            defragment(self._temporary, whole)
        if self._target.exists():
            self._temporary.unlink()

    def discard(self) -> None:
        with suppress(OSError, AttributeError):
            self._writer.close()
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)


def _stopped_by(error: BaseException | None) -> str | None:
    if error is None:
        return None
    return "interrupted" if isinstance(error, KeyboardInterrupt) else f"{error}" or type(error).__name__
