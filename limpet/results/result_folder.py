"""The folder of results: a mask for every frame, an overlay video and a report, valid at every moment."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.core.errors import OutputError
from limpet.core.files import output_error, temporary_name
from limpet.core.masks import write_mask
from limpet.core.tracker_protocol import checked_confidence
from limpet.results.filmstrip import Thumbnail
from limpet.results.journal import ROW, FrameRecord
from limpet.results.overlay_video import OverlayVideo
from limpet.results.report_builder import ReportBuilder, areas_of
from limpet.results.run_folder import RunFolder, masks_from, replaceable_files
from limpet.video.encode import EncodedExtent, EncoderMissingError
from limpet.video.video_reader import Frame, ReadFailure
from limpet.visual.overlay import draw_overlay


class ResultFolder:
    """Writes ``masks/00000.png`` ..., ``overlay.mp4``, ``report.json``, ``report.html`` and ``report.png``.

    Use it in ``with``. Every file appears whole or not at all: each mask as soon as its frame is done, the
    overlay and the report on leaving, also after Ctrl-C or an error (then the report says it is not
    complete). Nothing on disk changes before the first ``add``, apart from creating the folder.

    After ``keep_journal`` a hidden folder lies beside the results until they are complete; with it ``resume``
    continues a run that was killed.

    Args:
        out_dir: the folder; created if necessary. One that is not empty is refused.
        overwrite: replace an earlier result in ``out_dir``: only its own files are removed. A folder with
            files of the same names that limpet did not write is refused.
        resume: the folder may hold an unfinished run, which is left as it is.
        size: (H, W) of the frames in pixels; taken from the first mask when None.
        frame_rate: the input's; frames keep their own time stamps.
        pixel_aspect: the input's width of a pixel by its height, which the overlay keeps.
        object_ids: objects known at the start; others may appear in any later mask.
        info: for the report: "source", "model", "weights_sha256" and more.
        overlay: also write overlay.mp4; without an H.264 encoder it is left out, and a notice says so.

    Attributes:
        frames_written: frames whose mask, overlay and entry in the report are written.

    Raises:
        OutputError: the folder cannot be used, or writing fails (no space, no permission).
    """

    def __init__(
        self,
        out_dir: str | Path,
        *,
        overwrite: bool = False,
        resume: bool = False,
        size: tuple[int, int] | None = None,
        frame_rate: Fraction | None = None,
        pixel_aspect: Fraction = Fraction(1),
        object_ids: Sequence[int] = (),
        info: Mapping[str, Any] | None = None,
        overlay: bool = True,
    ) -> None:
        self.path = Path(out_dir)
        self.frames_written = 0
        self.report = ReportBuilder(size=size, frame_rate=frame_rate, object_ids=object_ids, info=info)
        self._frame_rate, self._pixel_aspect = frame_rate, pixel_aspect
        self._with_overlay = overlay
        self._overlay: OverlayVideo | None = None
        self._last_image: NDArray[np.uint8] | None = None
        self._pending: Path | None = None
        self._new_folders: list[Path] = []
        self._started = False
        self._run: RunFolder | None = None
        self._facts: Mapping[str, Any] = {}
        self._recorded = self._to_record = (0, 0)
        self._earlier = replaceable_files(self.path, overwrite, resume)

    @property
    def failures(self) -> list[ReadFailure]:
        """What could not be read, for the report; may be set to the reader's own growing list."""
        return self.report.failures

    @failures.setter
    def failures(self, failures: list[ReadFailure]) -> None:
        self.report.failures = failures

    @property
    def notices(self) -> list[str]:
        """What else the reader of the report should know; grows while writing."""
        return self.report.notices

    def keep_journal(self, facts: Mapping[str, Any]) -> RunFolder:
        """Keep a journal of what is written, with the facts of the run, so that the run can be resumed.

        An unfinished run in the folder is started again, unless ``resume`` follows.
        """
        self._run, self._facts = RunFolder(self.path), facts
        if self._run.exists():
            self._earlier = replaceable_files(self.path, overwrite=True)
        return self._run

    def __enter__(self) -> Self:
        probe = temporary_name(self.path / "report.json")
        try:
            for folder in reversed([self.path, *self.path.parents]):
                if not folder.is_dir():
                    folder.mkdir()
                    self._new_folders.append(folder)
            probe.touch()
            probe.unlink()
        except OSError as error:
            self._remove_new_folders()
            raise output_error(error, self.path) from error
        if self._run is not None and self._run.exists():
            self._run.lock()
        return self

    def messages_so_far(self) -> tuple[int, int]:
        """How many failures and notices there are. Pass it to ``add`` where more may be reported while ``add`` runs."""
        return len(self.failures), len(self.notices)

    def add(
        self,
        frame: Frame,
        mask: NDArray[np.uint8],
        confidence: Mapping[int, float],
        messages: tuple[int, int] | None = None,
    ) -> None:
        """Write the results of one frame; frames come in order, without gaps.

        Args:
            frame: as read; with ``image=None`` the overlay shows the last picture again.
            mask: uint8 (H, W) of object ids, in the frame's own size.
            confidence: object id -> 0..1; missing objects count as unknown.
            messages: how many failures and notices belong to this frame and those before it; by default all.

        Raises:
            OutputError: writing fails; earlier frames stay.
            ModelError: a confidence is not a number.
            ValueError: the mask has another size than the picture, or a frame was left out.
        """
        if frame.image is not None and mask.shape != frame.image.shape[:2]:
            raise ValueError(f"mask is {mask.shape} but the frame is {frame.image.shape[:2]}")
        confidence = {int(number): checked_confidence(number, value) for number, value in confidence.items()}
        if not self._started:
            self._start(mask)
        self._to_record = messages or self.messages_so_far()
        self._pending = self._mask_path(frame.index)
        write_mask(self._pending, mask)
        still = self._draw(frame, mask)
        if self._run is not None:
            self._run.journal.append(ROW, self._record(frame, mask, confidence, still).as_dict())
        self.report.add(frame.index, frame.time, mask, confidence, decoded=frame.image is not None)
        self.frames_written += 1
        self._pending = None

    def resume(self, records: Sequence[FrameRecord], size: tuple[int, int]) -> None:
        """Continue the unfinished run in the folder after the last of ``records``; what it wrote later is removed.

        Args:
            records: of all frames from the first one on. size: (H, W) of the frames.

        Raises:
            OutputError: the folder cannot be written.
        """
        for record in records:
            self.report.add_areas(
                record.index, record.time, record.areas, record.confidence, decoded=record.decoded
            )
            strip = self.report.strip
            strip.skip() if record.still is None else strip.keep(
                Thumbnail(record.index, record.time, record.still)
            )
            self.failures.extend(record.failures)
            self.notices.extend(record.notices)
        self._recorded = (len(self.failures), len(self.notices))
        self.frames_written, self._started = len(records), True
        try:
            for path in (*replaceable_files(self.path, resume=True), *masks_from(self.path, len(records))):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise output_error(error, self.path) from error
        if records[-1].overlay is not None:
            self._open_overlay(size, records[-1].overlay)

    def redraw(self, frame: Frame) -> None:
        """After ``resume``: write a frame that is done into the overlay again, if its segment was not closed."""
        self._last_image = frame.image if frame.image is not None else self._last_image
        if self._overlay is not None and frame.index >= self._overlay.written.frames:
            with Image.open(self._mask_path(frame.index)) as image:
                mask = np.array(image, np.uint8)
            self._overlay.write(self._drawn(mask), frame.time)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pending is not None:  # stopped within a frame: remove its mask, the report does not count it
            with suppress(OSError):
                self._pending.unlink(missing_ok=True)
        try:
            if self.frames_written == 0:
                self._discard()
            else:
                self._finish(error)
        except OutputError:
            if error is None:  # never hide what went wrong first
                raise
        finally:
            if self._run is not None:
                self._run.release()

    def _finish(self, error: BaseException | None) -> None:
        self.report.end(error)
        try:
            if self._overlay is not None:
                self._overlay.finish(keep=self._run is not None)
        finally:
            self.report.write(self.path)
        if self._run is not None and error is None:
            self._run.remove()

    def _start(self, mask: NDArray[np.uint8]) -> None:
        """Remove the earlier result, write a report that marks the folder as limpet's, open the overlay."""
        masks = self.path / "masks"
        if self._run is not None:
            self._run.start(self._facts)
        self._started = True
        try:
            for path in self._earlier:
                path.unlink(missing_ok=True)
            masks.mkdir(exist_ok=True)
        except OSError as error:
            raise output_error(error, masks) from error
        self.report.write_json(self.path)
        if self._run is None:
            RunFolder(self.path).remove()
        if self._with_overlay:
            try:
                self._open_overlay((mask.shape[0], mask.shape[1]))
            except EncoderMissingError as error:
                self.notices.append(f"overlay.mp4 was left out: {error}")

    def _open_overlay(self, size: tuple[int, int], after: EncodedExtent | None = None) -> None:
        target = self.path / "overlay.mp4"
        fragments = temporary_name(target) if self._run is None else self._run.overlay
        self._overlay = OverlayVideo(target, fragments, size, self._frame_rate, after, self._pixel_aspect)

    def _draw(self, frame: Frame, mask: NDArray[np.uint8]) -> bytes | None:
        """Write the overlay and the filmstrip; returns the JPEG if the filmstrip keeps this frame."""
        strip = self.report.strip
        self._last_image = frame.image if frame.image is not None else self._last_image
        wanted = strip.wants()
        drawn = self._drawn(mask) if wanted or self._overlay is not None else None
        if self._overlay is not None and drawn is not None:
            self._overlay.write(drawn, frame.time)
        if wanted and drawn is not None:
            return strip.add(frame.index, frame.time, drawn).jpeg
        strip.skip()
        return None

    def _drawn(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        image = self._last_image if self._last_image is not None else np.zeros((*mask.shape, 3), np.uint8)
        return draw_overlay(image, mask)

    def _record(
        self, frame: Frame, mask: NDArray[np.uint8], confidence: Mapping[int, float], still: bytes | None
    ) -> FrameRecord:
        (failures, notices), self._recorded = self._recorded, self._to_record
        return FrameRecord(
            frame.index,
            frame.time,
            frame.image is not None,
            areas_of(mask),
            confidence,
            zlib.crc32(self._mask_path(frame.index).read_bytes()),
            still,
            None if self._overlay is None else self._overlay.written,
            tuple(self.failures[failures : self._recorded[0]]),
            tuple(self.notices[notices : self._recorded[1]]),
        )

    def _mask_path(self, index: int) -> Path:
        return self.path / "masks" / f"{index:05d}.png"

    def _discard(self) -> None:
        """Nothing was written: leave nothing behind."""
        if self._overlay is not None:
            self._overlay.discard()
        if self._started:
            with suppress(OSError):
                (self.path / "report.json").unlink(missing_ok=True)
                (self.path / "masks").rmdir()
                if self._run is not None:
                    self._run.remove()
        self._remove_new_folders()

    def _remove_new_folders(self) -> None:
        for folder in reversed(self._new_folders):
            with suppress(OSError):  # somebody else put a file there meanwhile
                folder.rmdir()
        self._new_folders.clear()
