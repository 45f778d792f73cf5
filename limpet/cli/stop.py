"""Ctrl-C and SIGTERM: what is begun is finished or taken back, so that what lies on the disk is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class StopBetweenFrames:
    """While this is open, a first Ctrl-C or SIGTERM waits for the frame at hand; a second one does not.

    Before the first frame nothing is worth waiting for, and the first one stops at once. Either way it arrives
    as a KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self._between_frames_only = False
        self._asked = False
        self._earlier: dict[signal.Signals, Any] = {}

    def frame_done(self) -> None:
        """To be called after each frame. Raises KeyboardInterrupt when a signal came during the frame."""
        if self._asked:
            raise KeyboardInterrupt
        self._between_frames_only = True

    def waiting(self) -> None:
        """To be called now and then while no frame is at hand. Raises KeyboardInterrupt when a signal came."""
        if self._asked:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            if _is_ours(number):
                self._earlier[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._asked or not self._between_frames_only:
            raise KeyboardInterrupt
        self._asked = True


def stop_on_sigterm() -> None:
    """Let SIGTERM, which `kill` and batch systems send, end a command the way Ctrl-C does."""
    if _is_ours(signal.SIGTERM):
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _is_ours(number: signal.Signals) -> bool:
    """Signals are the main thread's; what a parent process chose to ignore (nohup) stays ignored."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and signal.getsignal(number) is not signal.SIG_IGN
