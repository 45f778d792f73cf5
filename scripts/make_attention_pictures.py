"""Makes the pictures of docs/visualise.md from the demo clip, small enough for a page.

    python scripts/make_attention_pictures.py
    python scripts/make_attention_pictures.py --weights FILE

They come from ``limpet visualise`` alone, and are then reduced to JPEG.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

from PIL import Image

import limpet
from limpet.core.masks import write_mask
from limpet.demo.demo_clip import demo_video, first_mask
from limpet.tracking.visualise_attention import VisualiseConfig, visualise

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
FRAME = 20
"""All three objects are seen, and have moved."""
WIDTH = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="deaot-t-deformable")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--out", type=Path, default=PICTURES)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        write_mask(Path(folder) / "first.png", first_mask())
        result = visualise(
            demo_video(),
            Path(folder) / "first.png",
            Path(folder) / "look",
            tracker=partial(limpet.load, given.model, weights=given.weights),
            config=VisualiseConfig(frames=(FRAME,), movies=False),
        )
        for kind in result.kinds:
            target = given.out / f"attention-{kind}.jpg"
            shrink(result.folder / kind / f"{FRAME:05d}.png", target)
            print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


def shrink(source: Path, target: Path) -> None:
    """Write a picture as JPEG, ``WIDTH`` pixels wide."""
    with Image.open(source) as image:
        height = round(image.height * WIDTH / image.width)
        image.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS).save(target, quality=82)


if __name__ == "__main__":
    main()
