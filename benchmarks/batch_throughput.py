"""How much faster `limpet batch` is than one `limpet track` after another, on the same clips.

    python benchmarks/batch_throughput.py                    # 40 short clips, as many workers as cores
    python benchmarks/batch_throughput.py --clips 4 --max-size 160

`limpet track` runs as a person would call it in a loop: a process per clip, with torch's own choice of threads. Both
write the same files. The two are measured by turns, so that what else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kill_batch import make_clips

from limpet.bench.machine import describe_machine, machine_lines

PROGRAM = (sys.executable, "-c", "from limpet.cli.main import main; main()")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--frames", type=int, default=24, help="of each clip")
    parser.add_argument("--model", default="deaot-t-deformable")
    parser.add_argument("--max-size", type=int, default=480)
    parser.add_argument("--workers", type=int, help="default: as many as limpet batch takes")
    parser.add_argument("--repeats", type=int, default=1)
    return parser.parse_args()


def run(*words: str) -> None:
    subprocess.run([*PROGRAM, *words], check=True, capture_output=True)


def timed_tracks(clips: Path, out: Path, how: tuple[str, ...]) -> float:
    """Seconds of one command per clip."""
    begin = time.monotonic()
    for clip in sorted(path for path in clips.iterdir() if path.is_dir()):
        run("track", str(clip), "--mask", f"{clip}.png", "--out", str(out / clip.name), *how)
    return time.monotonic() - begin


def timed_batch(clips: Path, out: Path, how: tuple[str, ...]) -> float:
    """Seconds of one command for all clips."""
    begin = time.monotonic()
    run("batch", str(clips), "--out", str(out), *how)
    return time.monotonic() - begin


def main() -> None:
    options = parse()
    print("\n".join(machine_lines(describe_machine())))
    how = ("--model", options.model, "--max-size", str(options.max_size))
    workers = ("--workers", str(options.workers)) if options.workers else ()
    folder = Path(tempfile.mkdtemp(prefix="batch-throughput-"))
    make_clips(folder / "clips", options.clips, options.frames)
    frames, ratios = options.clips * options.frames, []
    for number in range(options.repeats):
        alone = timed_tracks(folder / "clips", folder / f"alone-{number}", how)
        together = timed_batch(folder / "clips", folder / f"together-{number}", (*how, *workers))
        ratios.append(alone / together)
        print(
            f"limpet track one after another {alone:.1f} s ({frames / alone:.1f} frames/s), limpet batch "
            f"{together:.1f} s ({frames / together:.1f} frames/s): {ratios[-1]:.2f} times as fast"
        )
    print(f"median: {statistics.median(ratios):.2f} times as fast")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
