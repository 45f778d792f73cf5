"""The terminal: sentences (results on stdout, all else on stderr), the progress bar, and Ctrl-C.

Without a terminal each sentence is one line and there is no bar. Ctrl-C and SIGTERM let a command finish the frame that
it is working on, so that what it leaves on the disk is complete.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from limpet.core.plain_text import one_line, without_controls


def say(text: str) -> None:
    """Print a result on stdout."""
    _print(Console(), text)


def note(text: str) -> None:
    """Print something else worth knowing on stderr; the command continues."""
    _print(Console(stderr=True), f"note: {one_line(text)}", "yellow")


def notes(lines: Sequence[str], rest: str, most: int = 5) -> None:
    """Print the first lines as notes, and how many more there are; ``rest`` ends that sentence."""
    for line in lines[:most]:
        note(line)
    if len(lines) > most:
        note(f"and {len(lines) - most} more, {rest}")


def error(text: str) -> None:
    """Print why the command failed, and what to do."""
    _print(Console(stderr=True), f"error: {one_line(text)}", "red")


def counted(count: int, what: str, several: str = "") -> str:
    """``1 frame``, ``8 frames``; ``several``: the plural, where it is not one with an s."""
    return f"{count} {what}" if count == 1 else f"{count} {several or what + 's'}"


def _print(console: Console, text: str, style: str = "") -> None:
    # A terminal gets lines that end between words; elsewhere a path that is cut in two could not be copied.
    soft = not console.is_terminal
    # Messages hold brackets, colons and numbers that mean nothing.
    console.print(
        without_controls(text), style=style, markup=False, highlight=False, emoji=False, soft_wrap=soft
    )


class SpeedColumn(ProgressColumn):
    """Frames per second of everything together."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} frames/s" if speed else "", style="progress.data.speed")


class LateBar:
    """A bar on stderr, to be used in ``with``.

    It appears when there is something to show and is removed at the end, so that no half-drawn bar stands above an
    error. Without a terminal nothing is drawn.

    Args:
        columns: between the numbers done and the time that is left.
    """

    def __init__(self, *columns: ProgressColumn) -> None:
        self._task: TaskID | None = None
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            *columns,
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._bar.stop()


class FrameProgress(LateBar):
    """A ``LateBar`` to be called after each frame.

    Args:
        what: the text before the bar.

    Attributes:
        done: frames done so far.
    """

    def __init__(self, what: str = "") -> None:
        super().__init__(SpeedColumn())
        self.done = 0
        self._what = _short(what)

    def __call__(self, done: int, total: int | None, what: str | None = None) -> None:
        """Show ``done`` of ``total`` frames (None: unknown), and from now on another description."""
        self.done = done
        self._what = self._what if what is None else _short(what)
        total = max(done, total) if total else None
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=total)
        self._bar.update(self._task, description=self._what, completed=done, total=total)

    def clear(self) -> None:
        """Remove the bar, so that sentences can be printed; the next frame shows it again."""
        if self._task is not None:
            self._bar.stop()
            self._bar.remove_task(self._task)
            self._task = None


def _short(name: str, length: int = 20) -> str:
    """Shorten a name to fit beside the bar in 80 columns. Its end is kept, where file names differ."""
    name = one_line(name)
    return name if len(name) <= length else f"…{name[1 - length :]}"


class StopBetweenFrames:
    """While this is open, a first Ctrl-C or SIGTERM waits for the current frame; a second one does not.

    Before the first frame there is nothing to wait for, and the first one stops at once. Either way it arrives as a
    KeyboardInterrupt.
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
        """To be called from time to time while no frame comes. Raises KeyboardInterrupt when a signal came."""
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
    """Only the main thread receives signals; those that a parent process chose to ignore (nohup) stay ignored."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and signal.getsignal(number) is not signal.SIG_IGN


class BetweenFrames:
    """To be called after each frame with the frames done and in all; ``waiting`` while none comes.

    Attributes:
        done: frames done so far.
    """

    def __init__(self, progress: FrameProgress, stop: StopBetweenFrames) -> None:
        self._progress, self._stop = progress, stop
        self.waiting = stop.waiting
        self.done = 0

    def __call__(self, done: int, total: int | None) -> None:
        self.done = done
        self._progress(done, total)
        self._stop.frame_done()


@contextmanager
def between_frames(name: str) -> Iterator[BetweenFrames]:
    """For commands that work frame by frame: a progress bar, and interrupts that wait for the end of a frame."""
    with StopBetweenFrames() as stop, FrameProgress(name) as progress:
        yield BetweenFrames(progress, stop)
