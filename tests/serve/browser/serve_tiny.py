"""`limpet serve` without torch, for tests: FOLDER PORT [PROJECT]. Its tracker repeats the last mask, 0.2 s a frame."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from limpet.core.tracker_protocol import Image, Mask
from limpet.segment import Click
from limpet.serve.run_server import run_server
from limpet.serve.workbench import ServeConfig, Workbench

WORKER = Path(__file__).parents[1] / "tiny_worker.py"


class Disks:
    """Each click adds a disk of 10 pixels to the mask that there was, or takes one away."""

    name, note = "disks", "A model for tests makes disks."

    def segment(self, image: Image, clicks: Sequence[Click], mask: Mask | None = None) -> Mask:
        found = (
            np.zeros(image.shape[:2], np.uint8)
            if mask is None
            else np.where(mask > 0, np.uint8(1), np.uint8(0))
        )
        for each in clicks:
            cv2.circle(found, (int(each.x), int(each.y)), 10, int(each.positive), thickness=-1)
        return found


def main() -> None:
    folder, port, *projects = sys.argv[1:]
    bench = Workbench(ServeConfig((Path(folder),), "slow"), [sys.executable, str(WORKER)], Disks())
    for project in projects:
        bench.open(Path(folder) / project)
    run_server(bench, "127.0.0.1", int(port), lambda listening: print(listening.address, flush=True))


if __name__ == "__main__":
    main()
