"""Does a long run stay as small and as fast as it began? Tracks many frames and reports memory and time as it goes.

    python benchmarks/soak.py                              # 100,000 frames of 48x64 without a network
    python benchmarks/soak.py --network --frames 2000      # with the narrowest shipped model
    python benchmarks/soak.py --overlay --frames 20000

The frames come from a generator, so that reading takes no disk. Each row is a tenth of the run: resident memory at its
end in MB, how much that grew, and time per frame: of the processor, by the clock, and in yardsticks. A yardstick is the
processor time of a small fixed piece of work, done after every 50 frames: other programs lengthen it as they lengthen
the frames, by taking caches, so that the ratio tells whether the run itself grows slower. The last line compares the
last tenth with the second one, since the first one fills caches. The exit code is 1 if memory grows by more than 1 MB
per 10,000 frames, or time in yardsticks by more than 5 %. A run that is ended early by Ctrl-C or SIGTERM compares what
it has; --json writes the rows after each tenth.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import limpet
from limpet.bench.machine import describe_machine, machine_lines
from limpet.core.masks import decode_mask, encode_mask
from limpet.core.tracker_protocol import TrackerFacts

SIZE = (48, 64)
IDS = (3, 200)
PAGE = os.sysconf("SC_PAGE_SIZE")
BETWEEN = 50
"""Frames between two yardsticks."""


@dataclass(frozen=True)
class State:
    """The state of ``Shifting``."""

    mask: NDArray[np.uint8]
    frame_index: int = 0
    object_ids: tuple[int, ...] = IDS
    notices: tuple[str, ...] = ()

    @property
    def confidence(self) -> dict[int, float]:
        """A number that changes from frame to frame."""
        return {i: 0.5 + 0.4 * ((self.frame_index * i) % 97) / 97 for i in self.object_ids}

    def mask_array(self) -> NDArray[np.uint8]:
        """The mask."""
        return self.mask.copy()

    def with_mask(self, mask: NDArray[np.uint8]) -> State:
        """With another mask."""
        return replace(self, mask=mask)


class Shifting:
    """A tracker without a network: its masks move by a pixel per frame."""

    resumable, calibration, name, weights_sha256 = False, None, "shifting", ""

    def start(self, frame: NDArray[np.uint8], mask: NDArray[np.uint8]) -> State:
        """See ``limpet.Tracker``."""
        return State(mask)

    def step(self, frame: NDArray[np.uint8], state: State) -> tuple[NDArray[np.uint8], State]:
        """See ``limpet.Tracker``."""
        mask = np.roll(state.mask, 1, axis=1)
        return mask, replace(state, mask=mask, frame_index=state.frame_index + 1)

    def add(self, frame: NDArray[np.uint8], mask: NDArray[np.uint8], state: State) -> State:
        """See ``limpet.Tracker``."""
        return replace(state, mask=np.where(mask > 0, mask, state.mask))

    def check_video(self, frame_size: tuple[int, int], object_ids: Any) -> None:
        """It takes any."""

    def facts(self, frame_size: tuple[int, int]) -> TrackerFacts:
        """For the report."""
        return TrackerFacts(
            self.name, "", "uint8", frame_size, None, None, "none", None, None, None, None, "cpu"
        )


def frames(count: int) -> Iterator[NDArray[np.uint8]]:
    """Noise that drifts."""
    base = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    for index in range(count):
        yield np.roll(base, index % SIZE[1], axis=1)


def first_mask() -> NDArray[np.uint8]:
    """Two boxes."""
    mask = np.zeros(SIZE, np.uint8)
    mask[8:24, 8:30], mask[28:44, 30:50] = IDS
    return mask


def resident() -> float:
    """Resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


@dataclass(frozen=True)
class Row:
    """A tenth of a run: frames so far, resident MB, and time per frame.

    processor, clock: in milliseconds. yardsticks: in processor times of the piece of work that is done between frames.
    """

    frames: int
    resident: float
    processor: float
    clock: float
    yardsticks: float


def yardstick(mask: NDArray[np.uint8]) -> None:
    """Always the same work, of the kind that a frame takes."""
    for shift in range(20):
        decode_mask(encode_mask(np.roll(mask, shift, axis=1)))


class Table:
    """Prints a row for each tenth of a run, and compares."""

    def __init__(self, frames: int, path: Path | None) -> None:
        self.rows: list[Row] = []
        self._each, self._path = max(1, frames // 10), path
        self._mask, self._sticks, self._apart = first_mask(), 0, (0.0, 0.0)
        self._begin = time.process_time(), time.perf_counter()
        head = "| frames | resident MB | grew by | CPU ms per frame | ms by the clock | yardsticks |"
        print(f"{head}\n|---|---|---|---|---|---|")

    def __call__(self, done: int, total: int | None) -> None:
        """As ``limpet.track`` calls it after each frame."""
        if done % BETWEEN == 0:
            begin = time.process_time(), time.perf_counter()
            yardstick(self._mask)
            self._sticks += 1
            self._apart = (
                self._apart[0] + time.process_time() - begin[0],
                self._apart[1] + time.perf_counter() - begin[1],
            )
        if done % self._each:
            return
        now = time.process_time(), time.perf_counter()
        taken = [end - start - apart for end, start, apart in zip(now, self._begin, self._apart, strict=True)]
        processor, clock = (1000 * seconds / self._each for seconds in taken)
        stick = 1000 * self._apart[0] / max(1, self._sticks)
        row = Row(done, resident(), processor, clock, processor / stick if stick else 0.0)
        grew = row.resident - self.rows[-1].resident if self.rows else 0.0
        self.rows.append(row)
        print(
            f"| {done:,} | {row.resident:.1f} | {grew:+.2f} | {processor:.3f} | {clock:.3f} | {row.yardsticks:.4f} |",
            flush=True,
        )
        if self._path is not None:
            self._path.write_text(json.dumps([asdict(row) for row in self.rows], indent=1) + "\n")
        self._sticks, self._apart = 0, (0.0, 0.0)
        self._begin = time.process_time(), time.perf_counter()

    def compare(self) -> int:
        """Say how the last row differs from the second one; returns the exit code."""
        if len(self.rows) < 3:
            print("too few frames to compare")
            return 1
        early, late = self.rows[1], self.rows[-1]
        growth = (late.resident - early.resident) / (late.frames - early.frames) * 10_000
        slower = late.yardsticks / early.yardsticks
        print(
            f"{late.frames:,} frames; {growth:+.3f} MB per 10,000 frames; the last tenth took {slower:.3f} of the "
            f"second one's time in yardsticks, {late.processor / early.processor:.3f} of its processor time, and "
            f"{late.clock / early.clock:.3f} by the clock"
        )
        return int(growth > 1 or slower > 1.05)


def main() -> int:
    """Run, print the table, compare; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--overlay", action="store_true")
    parser.add_argument("--network", action="store_true", help="track with deaot-nano")
    parser.add_argument("--json", type=Path, help="write the rows there too")
    given = parser.parse_args()
    print("\n".join(machine_lines(describe_machine())), flush=True)
    tracker: Any = limpet.load("deaot-nano", device="cpu", enlarge=1.0) if given.network else Shifting()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    video: Any = frames(given.frames)
    table = Table(given.frames, given.json)
    with tempfile.TemporaryDirectory() as folder, suppress(KeyboardInterrupt):
        limpet.track(
            video,
            first_mask(),
            Path(folder) / "out",
            tracker=tracker,
            overlay=given.overlay,
            on_frame=table,
        )
    return table.compare()


if __name__ == "__main__":
    sys.exit(main())
