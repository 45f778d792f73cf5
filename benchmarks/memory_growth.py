"""Does memory grow, or does speed change, while a long video is tracked?

    python benchmarks/memory_growth.py                                # the demo clip, looped to 1,000 frames
    python benchmarks/memory_growth.py --source clip.mp4 --mask first.png --frames 5000

The frames of the clip stay in memory and are tracked again and again; with --reread they are decoded each time, so
that the reader is part of the measurement. Resident memory is printed after every hundred frames, and at the end the
growth of its peak after the first hundred.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from machine import begin
from numpy.typing import NDArray

from limpet.bench.config import BenchConfig
from limpet.bench.machine import peak_mb, resident_mb
from limpet.bench.torch_target import make_tracker
from limpet.core.masks import read_mask
from limpet.demo.demo_clip import demo_video, first_mask
from limpet.video.open import open_video

WARM_UP = 100  # frames until all buffers have been made


def looped(source: Path, reread: bool) -> Iterator[NDArray[np.uint8]]:
    """The frames of a video, again and again without end."""
    while reread:
        with open_video(source) as video:
            yield from (frame.image for frame in video if frame.image is not None)
    with open_video(source) as video:
        clip = [frame.image for frame in video if frame.image is not None]
    yield from itertools.cycle(clip)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Resident memory in MB and mean ms of every hundred frames."""
    tracker, _ = make_tracker(
        BenchConfig(
            options.model,
            options.weights,
            device=options.device,
            max_size=options.max_size,
            precision=options.precision,
        )
    )
    frames = looped(options.source or demo_video(), options.reread)
    mask = read_mask(options.mask) if options.mask else first_mask()
    state = tracker.start(next(frames), mask)
    rows: list[dict[str, float]] = []
    spent, peak_before = 0.0, 0.0
    for index, frame in enumerate(itertools.islice(frames, options.frames), start=1):
        start = time.process_time()
        _, state = tracker.step(frame, state)
        spent += time.process_time() - start
        if index == WARM_UP:
            peak_before = peak_mb()
        if index % 100 == 0:
            rows.append({"frame": index, "mb": resident_mb(), "peak_mb": peak_mb(), "cpu_ms": spent * 10})
            print(
                "{frame:6.0f} frames: {mb:8.1f} MB now, {peak_mb:8.1f} MB peak, CPU {cpu_ms:6.1f} ms a frame".format(
                    **rows[-1]
                )
            )
            spent = 0.0
    return {"rows": rows, "peak_growth_mb": peak_mb() - peak_before, "state_mb": state.nbytes / 1e6}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, help="a video or a folder of frames; default: the demo clip")
    parser.add_argument("--mask", type=Path, help="indexed PNG mask of its first frame")
    parser.add_argument("--reread", action="store_true", help="decode the video again for every turn")
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--model", default="deaot-t")
    parser.add_argument("--weights", type=Path, help="a file; default: those that ship, or random ones")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--max-size", type=int, default=480, help="network input size: shorter side, in pixels"
    )
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write all figures to this file as well")
    options = parser.parse_args()
    if bool(options.source) != bool(options.mask):
        parser.error("--source and --mask belong together")
    if options.frames < 2 * WARM_UP:
        parser.error(f"--frames is {options.frames}; at least {2 * WARM_UP} are needed to see growth")
    return options


def main() -> None:
    options = parse()
    machine = begin(options.threads)
    result = measure(options)
    first, last = result["rows"][0], result["rows"][-1]
    print(f"\npeak memory grew by {result['peak_growth_mb']:.2f} MB after the first {WARM_UP} frames")
    print(f"CPU ms per frame: {first['cpu_ms']:.1f} in the first hundred, {last['cpu_ms']:.1f} in the last")
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "result": result}, indent=2) + "\n")


if __name__ == "__main__":
    main()
