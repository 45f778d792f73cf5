"""The progress bar of commands that go through frames: frames per second and time left."""

from __future__ import annotations

from types import TracebackType
from typing import Self

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


class Speed(ProgressColumn):
    """Frames per second of everything together."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} frames/s" if speed else "", style="progress.data.speed")


class FrameProgress:
    """A bar on stderr, to be used in ``with`` and called after each frame.

    It shows from the first frame on and is gone in the end, so that nothing half-drawn stands above an error.
    Without a terminal nothing is drawn: a log is for sentences.

    Args:
        what: what stands before the bar.

    Attributes:
        done: frames done so far.
    """

    def __init__(self, what: str = "") -> None:
        self.done = 0
        self._what = _short(what)
        self._task: TaskID | None = None
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            Speed(),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __call__(self, done: int, total: int | None, what: str | None = None) -> None:
        """Show ``done`` of ``total`` frames (None: unknown), and from now on another description."""
        self.done = done
        self._what = self._what if what is None else _short(what)
        total = max(done, total) if total else None
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=total)
        self._bar.update(self._task, description=self._what, completed=done, total=total)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._bar.stop()


def _short(name: str, length: int = 20) -> str:
    """What fits beside the bar in 80 columns; a name's end tells it from its neighbours."""
    return name if len(name) <= length else f"…{name[1 - length :]}"
