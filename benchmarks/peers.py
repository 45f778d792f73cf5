"""A race between limpet and its peers in one run: frame by frame in turn, on the same machine and the same frames.

    python benchmarks/peers.py --out race \\
        --contestant limpet=limpet,model=deaot-t,weights=deaot-t.safetensors \\
        --contestant official=aot,model=deaott,checkout=~/aot-benchmark,weights=DeAOTT_PRE_YTB_DAV.pth \\
        --sizes 480x854 720x1280 --objects 1 3 10

A contestant is a name and an adapter: limpet, aot (AOT and DeAOT), stcn, xmem, cutie, sam2, edgetam, or FILE.py:CLASS.
A peer needs the path of its checkout, and the Python of its environment where that is another one (python=...). Nothing
of a peer is in here: benchmarks/peer_adapters.py calls the interface that its own demo calls. For limpet, checkout=
names a bundle, which runs on any of its engines.

Each contestant is a process of its own. All of them track frame 1, then all of them frame 2, in an order that turns
round each time, so that what else the machine does affects all alike. Milliseconds, CPU time, peak memory, its growth
and the agreement of the masks with those of the first contestant are written to race.json and, with charts, race.md.
With equal weights, the masks of an implementation that is faithful are equal.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import begin
from peer_tools import PeerSettings
from peers_page import write_page
from turn_process import TurnProcess

from limpet.bench.bench_clip import synthetic_clip
from limpet.core.masks import read_mask
from limpet.video.open import open_video

HERE = Path(__file__).parent
KEYS = ("checkout", "weights", "model", "python")


@dataclass(frozen=True)
class Contestant:
    """Who takes part. See PeerSettings for checkout, weights and model; python: the interpreter of its environment."""

    name: str
    adapter: str
    checkout: str = ""
    weights: str = ""
    model: str = ""
    python: str = sys.executable


def parse_contestant(text: str) -> Contestant:
    """``NAME=ADAPTER,key=value,...``"""
    name, _, rest = text.partition("=")
    adapter, *pairs = rest.split(",")
    settings = dict(pair.partition("=")[::2] for pair in pairs)
    if not name or not adapter or set(settings) - set(KEYS):
        raise argparse.ArgumentTypeError(
            f"{text!r}; expected NAME=ADAPTER and any of {', '.join(KEYS)}, such as a=aot,checkout=~/aot-benchmark"
        )
    for key in ("checkout", "weights", "python"):
        if settings.get(key):
            settings[key] = str(Path(settings[key]).expanduser().absolute())
    if ":" in adapter:
        adapter = str(Path(adapter).absolute())
    return Contestant(name, adapter, **settings)


class Runner(TurnProcess):
    """A contestant's process."""

    def __init__(self, contestant: Contestant, job: dict[str, Any]) -> None:
        self.contestant = contestant
        command = [contestant.python, str(HERE / "peer_worker.py"), json.dumps(job)]
        super().__init__(contestant.name, command, job["threads"])
        self.started = self.answer()
        self.answers: list[dict[str, Any]] = []

    def step(self, index: int) -> None:
        """Track frame ``index``, which follows the last one."""
        self.answers.append(self.ask(index))


def race(
    contestants: list[Contestant], frames: np.ndarray, mask: np.ndarray, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """All contestants on one clip. frames: uint8 (T, H, W, 3); mask: uint8 (H, W) of ids 1..N. One row for each."""
    objects = int(mask.max())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames.tofile(folder / "frames")
        np.save(folder / "mask.npy", mask)
        runners: list[Runner] = []
        try:
            for number, each in enumerate(contestants):
                settings = PeerSettings(
                    each.checkout, each.weights, each.model, options.device, options.max_size, len(frames), objects,
                    options.precision,
                )  # fmt: skip
                job = {
                    "adapter": each.adapter, "settings": asdict(settings), "threads": options.threads,
                    "shape": frames.shape[1:], "frames": str(folder / "frames"),
                    "first_mask": str(folder / "mask.npy"), "masks": str(folder / f"masks-{number}"),
                }  # fmt: skip
                runners.append(Runner(each, job))
            for index in range(1, len(frames)):
                for runner in runners if index % 2 else reversed(runners):
                    runner.step(index)
        finally:
            for runner in runners:
                runner.__exit__(None, None, None)
        found = [_masks(folder / f"masks-{number}", runner) for number, runner in enumerate(runners)]
    return [
        _row(runner, masks, found[0], options.warm_up) for runner, masks in zip(runners, found, strict=True)
    ]


def agreement(masks: np.ndarray, others: np.ndarray) -> dict[str, Any]:
    """How alike two results are, both uint8 (T, H, W).

    iou: of each frame, the mean over the objects of either. equal_frames: how many are the same in every pixel.
    pixels: share of equal pixels.
    """
    ious = []
    for one, other in zip(masks, others, strict=True):
        ids = set(np.unique(one)) | set(np.unique(other))
        pairs = [(one == i, other == i) for i in ids - {0}]
        of_objects = [float((a & b).sum() / (a | b).sum()) for a, b in pairs]
        ious.append(sum(of_objects) / len(of_objects) if of_objects else 1.0)
    same = masks == others
    return {"iou": ious, "equal_frames": int(same.all(axis=(1, 2)).sum()), "pixels": float(same.mean())}


def growth(memory: list[float]) -> float:
    """MB in 100 frames: the slope of a straight line through the second half of a run."""
    later = memory[len(memory) // 2 :]
    return float(100 * np.polyfit(np.arange(len(later)), later, 1)[0]) if len(later) > 1 else 0.0


def _masks(path: Path, runner: Runner) -> np.ndarray:
    height, width = runner.answers[0]["shape"]
    return np.fromfile(path, np.uint8).reshape(-1, height, width)


def _row(runner: Runner, masks: np.ndarray, first: np.ndarray, warm_up: int) -> dict[str, Any]:
    if masks.shape != first.shape:
        raise SystemExit(
            f"{runner.contestant.name} answers masks of {masks.shape[1:]}, expected {first.shape[1:]}"
        )
    counted = runner.answers[warm_up:]
    low, middle, high = np.percentile([1e3 * each["seconds"] for each in counted], (25, 50, 75))
    memory = [each["memory"] for each in runner.answers]
    return {
        "contestant": asdict(runner.contestant),
        "about": runner.started["about"],
        "ms": middle, "ms_quartile_1": low, "ms_quartile_3": high,
        "cpu_ms": float(np.median([1e3 * each["cpu"] for each in counted])),
        "peak_mb": memory[-1]["peak"], "gpu_peak_mb": memory[-1]["gpu_peak"],
        "growth_mb": growth([each["now"] for each in memory]),
        "gpu_growth_mb": growth([each["gpu_now"] for each in memory]),
        "memory": [each["gpu_now"] or each["now"] for each in memory],
        "agreement": agreement(masks, first),
    }  # fmt: skip


def read_video(path: Path, mask: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first ``count`` frames (T, H, W, 3), and the mask (H, W) with ids 1..N in place of those of the file."""
    with open_video(str(path)) as video:
        frames = [frame.image for frame in video if frame.index < count and frame.image is not None]
    ids = read_mask(mask, frames[0].shape[:2])
    return np.stack(frames), np.unique(ids, return_inverse=True)[1].reshape(ids.shape).astype(np.uint8)


def main() -> None:
    options = parse()
    names = [each.name for each in options.contestant]
    if len(set(names)) < len(names):
        raise SystemExit(f"two contestants have one name: {', '.join(names)}")
    if options.frames < options.warm_up + 3:
        raise SystemExit(
            f"--frames {options.frames} leaves nothing to time after {options.warm_up} for warming up"
        )
    machine = begin(options.threads)
    clips = []
    if options.video:
        if options.mask is None:
            raise SystemExit("--video needs --mask, the mask of its first frame")
        clips.append(read_video(options.video, options.mask, options.frames))
    else:
        for size in options.sizes:
            for objects in options.objects:
                frames, mask = synthetic_clip(size, objects, options.frames)
                clips.append((np.stack(frames), mask))
    races = []
    for frames, mask in clips:
        rows = race(options.contestant, frames, mask, options)
        races.append(
            {"size": list(mask.shape), "objects": int(mask.max()), "frames": len(frames), "rows": rows}
        )
        for row in rows:
            clip = f"{mask.shape[0]}x{mask.shape[1]}, {mask.max()} object(s)"
            print(
                f"{clip}: {row['contestant']['name']} {row['ms']:.1f} ms, "
                f"peak {row['peak_mb']:.0f} MB, {100 * row['agreement']['pixels']:.3f} % of pixels as the first",
                flush=True,
            )
    settings = {
        name: getattr(options, name) for name in ("device", "precision", "threads", "max_size", "warm_up")
    }
    result = {"machine": machine, "settings": settings, "races": races}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "race.json").write_text(json.dumps(result, indent=1) + "\n")
    write_page(result, options.out)
    print(f"written to {options.out}: race.md, race.json")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--contestant", type=parse_contestant, action="append", required=True, metavar="NAME=ADAPTER,..."
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for race.json, race.md and its charts"
    )
    parser.add_argument("--sizes", type=_size, nargs="+", default=[(480, 854)], metavar="HxW")
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 3, 10], metavar="N")
    parser.add_argument("--video", type=Path, help="a video instead of a synthetic clip")
    parser.add_argument("--mask", type=Path, help="mask of its first frame")
    parser.add_argument("--frames", type=int, default=60, help="length of the clip")
    parser.add_argument("--warm-up", type=int, default=5, help="steps that do not count")
    parser.add_argument(
        "--max-size", type=int, default=480, help="limit on the shorter side of the network's input"
    )
    parser.add_argument("--precision", choices=("fp32", "auto"), default="fp32")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r}; expected HEIGHTxWIDTH, such as 480x854")
    return int(height), int(width)


if __name__ == "__main__":
    main()
