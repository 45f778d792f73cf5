"""Does a long run stay as small and as fast as it began? Tracks many frames and reports memory and time as it goes.

    python benchmarks/soak.py                              # 100,000 frames of 48x64 without a network
    python benchmarks/soak.py --network --frames 2000      # with the narrowest shipped model
    python benchmarks/soak.py --overlay --frames 20000

The frames come from a generator, so that reading takes no disk. Each row is a tenth of the run: resident memory at its
end in MB, how much that grew, and CPU time per frame. The last lines compare the last tenth with the second one, since
the first one fills caches. The exit code is 1 if memory grows by more than 1 MB per 10,000 frames, or CPU time per
frame by more than 5 %.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import limpet
from limpet.core.tracker_protocol import TrackerFacts

SIZE = (48, 64)
IDS = (3, 200)
PAGE = os.sysconf("SC_PAGE_SIZE")


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


def main() -> int:
    """Run, print the table, compare; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--overlay", action="store_true")
    parser.add_argument("--network", action="store_true", help="track with deaot-nano")
    given = parser.parse_args()
    tracker: Any = limpet.load("deaot-nano", device="cpu", enlarge=1.0) if given.network else Shifting()
    rows: list[tuple[int, float, float]] = []
    begin = [time.process_time()]

    def on_frame(done: int, total: int | None) -> None:
        if done % (given.frames // 10) == 0:
            now = time.process_time()
            rows.append((done, resident(), (now - begin[0]) / (given.frames // 10)))
            grew = rows[-1][1] - rows[-2][1] if len(rows) > 1 else 0.0
            print(f"| {done:,} | {rows[-1][1]:.1f} | {grew:+.2f} | {1000 * rows[-1][2]:.3f} |", flush=True)
            begin[0] = time.process_time()

    print("| frames | resident MB | grew by | CPU ms per frame |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        video: Any = frames(given.frames)
        result = limpet.track(
            video,
            first_mask(),
            Path(folder) / "out",
            tracker=tracker,
            overlay=given.overlay,
            on_frame=on_frame,
        )
    growth = (rows[-1][1] - rows[1][1]) / (rows[-1][0] - rows[1][0]) * 10_000
    slower = rows[-1][2] / rows[1][2]
    print(
        f"{result.frames:,} frames; {growth:+.3f} MB per 10,000 frames; the last tenth took {slower:.3f} of the second"
    )
    return int(growth > 1 or slower > 1.05)


if __name__ == "__main__":
    sys.exit(main())
