"""How much slower is a step when another program takes a core? For several values of GOMP_SPINCOUNT.

    python benchmarks/busy_neighbour.py                     # unset, 10000, 3000, 1000, 300 and 0; about two minutes
    python benchmarks/busy_neighbour.py --values 1000 0 --busy 2

Each value is measured in a process of its own, because the library reads it once: first on the machine as it is, then
with ``--busy`` processes that compute on as many cores. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

_UNSET = "unset"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--values", nargs="+", default=[_UNSET, "10000", "3000", "1000", "300", "0"])
    parser.add_argument("--busy", type=int, default=1, help="cores that other programs take")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        print(json.dumps(step_times(given.steps)))
        return
    print(
        f"| GOMP_SPINCOUNT | ms, idle | ms, {given.busy} of {os.cpu_count()} cores taken | ratio |\n|---|---|---|---|"
    )
    for value in given.values:
        idle = median_step(value, given.threads, given.steps)
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(given.busy)]
        try:
            loaded = median_step(value, given.threads, given.steps)
        finally:
            for other in others:
                other.kill()
                other.wait()
        print(f"| {value} | {idle:.0f} | {loaded:.0f} | {loaded / idle:.2f} |", flush=True)


def median_step(value: str, threads: int, steps: int) -> float:
    """The median time of a step in ms, in a process of its own."""
    environment = {name: text for name, text in os.environ.items() if name != "GOMP_SPINCOUNT"}
    environment |= {"OMP_NUM_THREADS": str(threads)}
    # What is unset would be set by limpet: a value of that size is the library's own default.
    environment["GOMP_SPINCOUNT"] = "30000000000" if value == _UNSET else value
    command = [sys.executable, __file__, "--worker", "--steps", str(steps)]
    found = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return statistics.median(json.loads(found.stdout.splitlines()[-1]))


def step_times(steps: int) -> list[float]:
    """The time of each step of the default model in ms, with three objects at 480x854."""
    import numpy as np

    import limpet

    tracker = limpet.load(device="cpu")
    frame = np.random.default_rng(0).integers(0, 256, (480, 854, 3), dtype=np.uint8)
    mask = np.zeros((480, 854), np.uint8)
    for number in range(3):
        mask[100:300, 100 + 200 * number : 200 + 200 * number] = number + 1
    state = tracker.start(frame, mask)
    times = []
    for _ in range(steps + 3):
        begin = time.perf_counter()
        _, state = tracker.step(frame, state)
        times.append(1000 * (time.perf_counter() - begin))
    return times[3:]


if __name__ == "__main__":
    main()
