"""Tracker states on the disk, from which a killed run is resumed. Written about once a second, at little cost.

A frame in the long-term memory never changes, so that each is written once, into a file of its own. Only the short-term
memory and the mask are written every time. The journal lists the files of a state with their check sums; a state is
valid once that line is there.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save

from limpet.core.errors import LimpetError, Option, OutputError
from limpet.core.files import atomic_path, output_error
from limpet.memory import Memory, join_memories
from limpet.results.journal import Journal, Line
from limpet.state import GroupState, TrackerState
from limpet.tensor_files import read_tensors

STATE = "state"
"""Kind of the journal's lines that list the files of a state."""
INTERVAL = 0.5
"""Seconds of work between two states."""
LARGEST_SHARE = 0.05
"""Largest share of the run time for writing states; where writing takes longer, states are written less often.

Processor time is what counts: on a busy machine everything takes longer, and states should not become rarer for it.
"""
_GENERATIONS = 2

Parts = dict[str, Memory]


class Checkpoints:
    """Writes states into a work folder while frames go by.

    Args:
        folder: the work folder.
        journal: of the run.
        clock: seconds. processor: seconds that this process has computed.
    """

    def __init__(
        self,
        folder: Path,
        journal: Journal,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.process_time,
    ) -> None:
        self._folder, self._journal, self._clock, self._processor = folder, journal, clock, processor
        self._saved_at, self._took = clock(), 0.0
        self._waiting: tuple[int, TrackerState] | None = None
        self._sums: list[dict[str, int]] = []

    def offer(self, index: int, state: TrackerState) -> None:
        """The state after the frame ``index``, whose results are written: save it if it is time.

        Raises:
            OutputError: it cannot be written.
        """
        self._waiting = index, state
        if self._clock() - self._saved_at >= max(INTERVAL, self._took / LARGEST_SHARE):
            self.flush()

    def flush(self) -> None:
        """Save the state that was offered last, unless it is saved.

        Raises:
            OutputError: it cannot be written.
        """
        if self._waiting is None:
            return
        begin = self._processor()
        sums = self._save(*self._waiting)
        self._journal.append(STATE, {"index": self._waiting[0], "files": sums})
        self._waiting = None
        self._sums = [*self._sums, sums][-_GENERATIONS:]
        self._remove_old()
        self._saved_at = self._clock()
        self._took = self._processor() - begin

    def _save(self, index: int, state: TrackerState) -> dict[str, int]:
        short, parts = _apart(state)
        known = self._sums[-1] if self._sums else {}
        sums: dict[str, int] = {}
        for name, memory in parts.items():
            sums[name] = known[name] if name in known else self._write_part(name, memory)
        name = f"state-{index:05d}.safetensors"
        short.save(self._folder / name)
        return sums | {name: zlib.crc32((self._folder / name).read_bytes())}

    def _write_part(self, name: str, memory: Memory) -> int:
        content = save(memory.map(lambda tensor: tensor.cpu().contiguous().clone()).named())
        with atomic_path(self._folder / name) as temporary:
            temporary.write_bytes(content)
        return zlib.crc32(content)

    def _remove_old(self) -> None:
        needed = {name for sums in self._sums for name in sums}
        try:
            for path in self._folder.glob("*.safetensors"):
                if path.name not in needed:
                    path.unlink()
        except OSError as error:
            raise output_error(error, self._folder) from error


def latest(folder: Path, lines: Sequence[Line]) -> tuple[Line, TrackerState] | None:
    """The newest whole state of a journal, on the CPU, and its line; None where there is none yet.

    Raises:
        OutputError: there are states, but none is whole.
    """
    complaint: LimpetError | None = None
    for line in reversed([line for line in lines if line.kind == STATE][-_GENERATIONS:]):
        try:
            return line, _load(folder, line.facts["index"], line.facts["files"])
        except LimpetError as error:
            complaint = complaint or error
    if complaint is not None:
        raise OutputError(
            f"the state to resume from is damaged: {complaint}; pass ",
            Option("overwrite"),
            " to start again from the first frame",
        )
    return None


def _load(folder: Path, index: int, sums: dict[str, int]) -> TrackerState:
    for name, expected in sums.items():
        found: int | None = None
        with suppress(OSError):
            found = zlib.crc32((folder / name).read_bytes())
        if found != expected:
            what = "is not there" if found is None else "has another check sum than when it was written"
            raise LimpetError(f"{folder / name} {what}")
    state = TrackerState.load(folder / f"state-{index:05d}.safetensors")
    parts = {name: _read_part(folder / name) for name in sums if name.startswith("memory-")}
    return _together(state, parts).clone()  # to memory that is aligned as torch's own is: some kernels mind


def _read_part(path: Path) -> Memory:
    _, tensors = read_tensors(path)
    return Memory.of_named(tensors)


def _apart(state: TrackerState, prefix: str = "") -> tuple[TrackerState, Parts]:
    """A state without long-term memory, and that memory frame by frame under the names of files."""
    parts: Parts = {}
    groups: list[GroupState] = []
    for number, group in enumerate(state.groups):
        for index, name in enumerate(_names(prefix, number, group)):
            parts[name] = group.long_term.frame(index)
        groups.append(replace(group, long_term=group.long_term.select([])))
    views = []
    for number, view in enumerate(state.views):
        short, more = _apart(view, f"{prefix}view{number}-")
        views.append(short)
        parts |= more
    return replace(state, groups=tuple(groups), views=tuple(views)), parts


def _together(state: TrackerState, parts: Parts, prefix: str = "") -> TrackerState:
    """The state that ``_apart`` took apart."""
    groups = []
    for number, group in enumerate(state.groups):
        frames = [parts[name] for name in _names(prefix, number, group)]
        groups.append(replace(group, long_term=join_memories(frames, along="frames")))
    views = [_together(view, parts, f"{prefix}view{n}-") for n, view in enumerate(state.views)]
    return replace(state, groups=tuple(groups), views=tuple(views))


def _names(prefix: str, number: int, group: GroupState) -> list[str]:
    """The files of a group's long-term memory, in its order."""
    return [f"memory-{prefix}{number}-{frame.index:05d}.safetensors" for frame in group.frames]
