"""What frames of a long video cost the server of the page: processor time for each, and memory.

    python benchmarks/page_frames.py hour.mp4 --height 720

Frames are asked for at random places, then onwards and backwards from random places. The time is that of the processor,
all threads together, so that other programs on the machine disturb it little.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterable
from pathlib import Path

from limpet.bench.machine import peak_mb, resident_mb
from limpet.serve.frame_server import FrameServer
from limpet.video.open import open_video


def measured(server: FrameServer, name: str, frames: Iterable[int], height: int) -> None:
    """Print the mean cost of some frames, one after another."""
    count, began = 0, time.process_time()
    for frame in frames:
        server.jpeg(frame, height).result()
        count += 1
    cost = (time.process_time() - began) / count * 1000
    print(
        f"{name}: {cost:.0f} ms of processor time per frame ({count} frames), {resident_mb():.0f} MB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path)
    parser.add_argument("--height", type=int, default=720, help="height of the JPEGs in pixels")
    parser.add_argument("--jumps", type=int, default=20, help="random places")
    parser.add_argument("--frames", type=int, default=400, help="frames onwards, and as many backwards")
    arguments = parser.parse_args()
    began = time.process_time()
    server = FrameServer(lambda: open_video(arguments.video))
    server.opened.wait()
    count = server.length()
    print(f"{count} frames, found in {time.process_time() - began:.1f} s of processor time", flush=True)
    order = random.Random(0)
    measured(server, "anywhere", order.choices(range(count), k=arguments.jumps), arguments.height)
    row = min(100, count // 2)
    starts = order.choices(range(count - row), k=max(1, arguments.frames // row))
    measured(server, "onwards", (start + k for start in starts for k in range(row)), arguments.height)
    starts = order.choices(range(row, count), k=max(1, arguments.frames // row))
    measured(server, "backwards", (start - k for start in starts for k in range(row)), arguments.height)
    print(f"at most {peak_mb():.0f} MB", flush=True)
    server.close()


if __name__ == "__main__":
    main()
