"""One contestant of the race in a process of its own, which steps on request and sleeps meanwhile.

It runs in the Python environment of the peer and imports nothing of limpet unless it is limpet. Requests and answers
are lines of JSON on standard input and output; frames and masks are in files.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from peer_adapters import find_adapter
from peer_tools import PeerSettings


def main() -> None:
    answers, sys.stdout = os.fdopen(os.dup(1), "w", buffering=1), sys.stderr
    os.dup2(2, 1)  # what the peer prints is no answer
    job = json.loads(sys.argv[1])
    adapter = find_adapter(job["adapter"])
    shape, frames, masks = tuple(job["shape"]), Path(job["frames"]), Path(job["masks"])
    try:
        peer = adapter(PeerSettings(**job["settings"]))
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"there is no module {error.name} in the checkout {job['settings']['checkout']} or in the environment of "
            f"{sys.executable}; give the checkout of {job['adapter']}, and its environment as python=..."
        ) from error
    _set_threads(job["threads"])
    if hasattr(peer, "start_video"):
        peer.start_video(
            np.stack([_read(frames, index, shape) for index in range(job["settings"]["frames"])])
        )
    peer.start(_read(frames, 0, shape), np.load(job["first_mask"]))
    print(json.dumps({"memory": _memory(), "about": getattr(peer, "about", _versions())}), file=answers)
    with masks.open("wb") as file:
        for line in sys.stdin:
            frame = _read(frames, int(line), shape)
            clock, cpu = time.perf_counter(), time.process_time()
            mask = peer.step(frame)  # an array in main memory: a GPU has come to its end
            spent = time.perf_counter() - clock, time.process_time() - cpu
            file.write(np.ascontiguousarray(mask, np.uint8).tobytes())
            file.flush()
            answer = {"seconds": spent[0], "cpu": spent[1], "shape": list(mask.shape), "memory": _memory()}
            print(json.dumps(answer), file=answers)


def _read(path: Path, index: int, shape: tuple[int, ...]) -> np.ndarray:
    """A frame; a file that is mapped into memory would count as the contestant's."""
    size = int(np.prod(shape))
    return np.fromfile(path, np.uint8, size, offset=index * size).reshape(shape)


def _memory() -> dict[str, float]:
    """MB (10^6 bytes): resident now and at most so far, and the same on the GPU."""
    found = {"now": 0.0, "peak": 0.0, "gpu_now": 0.0, "gpu_peak": 0.0}
    status = Path("/proc/self/status")
    if status.is_file():
        facts = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        found["now"], found["peak"] = (1024e-6 * int(facts[name].split()[0]) for name in ("VmRSS", "VmHWM"))
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["gpu_now"], found["gpu_peak"] = (
            torch.cuda.memory_allocated() / 1e6, torch.cuda.max_memory_allocated() / 1e6
        )  # fmt: skip
    return found


def _versions() -> str:
    """What an adapter runs on that does not say so itself."""
    torch: Any = sys.modules.get("torch")
    return "" if torch is None else f"torch {torch.__version__}"


def _set_threads(threads: int) -> None:
    try:
        import torch
    except ImportError:  # an exported tracker needs none
        return
    torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
