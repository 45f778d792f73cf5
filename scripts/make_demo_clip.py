"""Builds the clip of ``limpet demo`` and its exact masks from photographs in scikit-image's wheel.

    python scripts/make_demo_clip.py [--out limpet/demo/assets] [--seed 0]

Needs scikit-image (part of the [dev] extra) and no network. The same seed and the same package versions give
the same files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
from demo_clip.compositor import paint, set_stage
from demo_clip.encode import write_masks, write_video
from demo_clip.motion import FRAME_COUNT, FRAME_RATE, FRAME_SIZE

ASSETS = Path(__file__).resolve().parents[1] / "limpet" / "demo" / "assets"


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds the demo clip and its masks.")
    parser.add_argument("--out", type=Path, default=ASSETS, help="folder for clip.mp4 and masks.zip")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise")
    arguments = parser.parse_args()
    build(arguments.out, arguments.seed)


def build(out: Path, seed: int) -> None:
    """Writes clip.mp4 and masks.zip into `out`."""
    cv2.setNumThreads(1)
    out.mkdir(parents=True, exist_ok=True)
    stage = set_stage()
    painted = [paint(stage, index, seed) for index in range(FRAME_COUNT)]
    write_video(out / "clip.mp4", (frame for frame, _ in painted), FRAME_SIZE, FRAME_RATE)
    write_masks(out / "masks.zip", (mask for _, mask in painted))
    for file in (out / "clip.mp4", out / "masks.zip"):
        print(f"{file}: {file.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
