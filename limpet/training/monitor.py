"""What a person watches while a run goes on: a progress bar, TensorBoard, and a picture of the curves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from safetensors.torch import save

from limpet.core.errors import MissingExtraError
from limpet.core.files import atomic_path
from limpet.data import ClipBatch


class Monitor:
    """Appends one JSON line a logged step to ``log.jsonl`` and the same numbers to TensorBoard."""

    def __init__(self, folder: Path, first_step: int) -> None:
        self.folder = folder
        self.log = folder / "log.jsonl"
        self._drop_lines_from(first_step)
        self._board = _tensorboard(folder, first_step)
        self._is_drawn = False

    def record(self, step: int, values: dict[str, float]) -> None:
        """Log named numbers of a step."""
        with self.log.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        self._is_drawn = False

    def draw(self) -> None:
        """Draw ``curves.png`` of everything logged so far, unless it is drawn already."""
        if not self._is_drawn:
            draw_curves(self.log, self.folder / "curves.png")
            self._is_drawn = True

    def close(self) -> None:
        """Draw the curves a last time and let go of the files."""
        self.draw()
        self._board.close()

    def _drop_lines_from(self, step: int) -> None:
        """A run that goes on from an older checkpoint repeats some steps: forget what was logged of them."""
        if not self.log.exists():
            return
        lines = [line for line, row in _rows(self.log) if row["step"] < step]
        with atomic_path(self.log) as temporary:
            temporary.write_text("".join(line + "\n" for line in lines))


def _rows(log: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """The lines of a log with what they hold; without those that a run was stopped in, or that are damaged."""
    for line in log.read_text(errors="replace").splitlines():
        try:
            row = {str(name): float(value) for name, value in json.loads(line).items()}
        except (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError):
            continue
        if "step" in row:
            yield line, row


@contextmanager
def progress_bar(total: int, done: int, quiet: bool) -> Iterator[Any]:
    """A bar on stderr whose ``update(step, text)`` the loop calls; nothing is shown when ``quiet``."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=quiet, refresh_per_second=2) as progress:
        task = progress.add_task("training", total=total, completed=done)
        yield lambda step, text: progress.update(task, completed=step, description=text)


def draw_curves(log: Path, picture: Path, smoothing: int = 15) -> None:
    """Draw each logged number of ``log`` over the steps, raw and as a running mean, into ``picture``."""
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("drawing loss curves", "train", "matplotlib") from error
    matplotlib.use("agg")
    from matplotlib import pyplot

    rows = [row for _, row in _rows(log)] if log.exists() else []
    names = sorted({name for row in rows for name in row} - {"step"})
    if not names:
        return
    figure, axes = pyplot.subplots(
        1, len(names), figsize=(4 * len(names), 3), squeeze=False, layout="constrained"
    )
    for axis, name in zip(axes[0], names, strict=True):
        points = [(row["step"], row[name]) for row in rows if name in row]
        steps, values = zip(*points, strict=True)
        axis.plot(steps, values, color="0.8", linewidth=1)
        axis.plot(steps, _running_mean(values, smoothing), linewidth=1.5)
        axis.set(title=name, xlabel="step")
    with atomic_path(picture) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    pyplot.close(figure)


def save_batch(folder: Path, step: int, batch: ClipBatch) -> Path:
    """Write the clips of a step that went wrong to ``folder``, to be looked at; returns the file.

    Raises:
        OutputError: the file cannot be written.
    """
    path = folder / f"clips-of-step-{step}.safetensors"
    tensors = {"images": batch.images.to(torch.float16), "masks": batch.masks.to(torch.uint8)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save({name: value.cpu().contiguous() for name, value in tensors.items()}))
    return path


def _running_mean(values: tuple[float, ...], length: int) -> list[float]:
    return [
        sum(part) / len(part) for i in range(len(values)) if (part := values[max(0, i - length + 1) : i + 1])
    ]


def _tensorboard(folder: Path, first_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("logging a training run", "train", "tensorboard") from error
    # An earlier process's events of the steps that are repeated are hidden.
    return SummaryWriter(str(folder / "tensorboard"), purge_step=first_step)
