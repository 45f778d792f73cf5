"""Makes the picture at the top of README.md: the demo clip with the masks that the default model finds.

    python scripts/make_readme_picture.py

The first frame shows the masks that are given, every other one those that were propagated. It is an animated WebP,
small enough for a page: every third frame of the clip, reduced.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

import limpet
from limpet.demo.demo_clip import demo_video, first_mask
from limpet.video.open import open_video
from limpet.visual.overlay import draw_overlay

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "demo.webp"
WIDTH = 448
EVERY = 3
"""Frames of the clip for one of the picture."""
QUALITY = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=None, help="Another model than the default.")
    parser.add_argument("--out", type=Path, default=PICTURE)
    given = parser.parse_args()
    tracker = limpet.load(given.model)
    mask, state, drawn = first_mask(), None, []
    with open_video(demo_video()) as video:
        for frame in video:
            if state is None:
                state = tracker.start(frame.image, mask)
            else:
                mask, state = tracker.step(frame.image, state)
            if frame.index % EVERY == 0:
                picture = Image.fromarray(draw_overlay(frame.image, mask))
                size = (WIDTH, round(picture.height * WIDTH / picture.width))
                drawn.append(picture.resize(size, Image.Resampling.LANCZOS))
        pause = round(1000 * EVERY / float(video.frame_rate))
    drawn[0].save(
        given.out, save_all=True, append_images=drawn[1:], duration=pause, loop=0, quality=QUALITY, method=6
    )
    print(f"{given.out}: {len(drawn)} frames, {given.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
