"""Number of clicks that the click model needs, on photos that it was not trained on.

    python benchmarks/click_score.py STILLS [--weights FILE] [--photos 200] [--size 320] [--correct] [--out table.md]

Each photo has one object, chosen by its name. Clicks are made as evaluations make them: in the middle of the largest
error, at most 20. NoC@85 is the mean number of clicks until the IoU is 85 %, 20 where it never is (the measure of
Sofiiuk et al., 2021). --correct begins with a mask that has errors, as a tracker leaves it.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track as progress

from limpet.data import StillsFolder
from limpet.data.image_cache import ImageCache
from limpet.data.stills import Still
from limpet.segment.choose_segmenter import BUNDLED, load_segmenter
from limpet.segment.clicks.click_model import SIZE, ClickModel
from limpet.segment.clicks.click_samples import held_out
from limpet.segment.clicks.guides import next_click
from limpet.segment.clicks.simulated_clicks import mask_with_errors
from limpet.segment.segmenter import Segmenter

MOST_CLICKS = 20
GOALS = (0.85, 0.9)
SMALLEST = 0.005
"""Of the photo, for an object that is asked for."""


@dataclass(frozen=True)
class Result:
    """ious: after each click. seconds: of each click."""

    source: str
    ious: list[float]
    seconds: list[float]

    def clicks_for(self, goal: float) -> int:
        """Clicks until the IoU is ``goal``; MOST_CLICKS where it never is."""
        return next((count for count, iou in enumerate(self.ious, 1) if iou >= goal), MOST_CLICKS)


def chosen_object(still: Still, mask: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """One object of a photo: parts and regions by chance, which depends on the name alone."""
    sizes = np.bincount(mask.ravel(), minlength=256)
    ids = [number for number in range(1, 255) if sizes[number] >= SMALLEST * mask.size]
    if not ids:
        return None
    seed = int(hashlib.sha256(still.image.name.encode()).hexdigest()[:8], 16)
    return np.asarray(mask == ids[seed % len(ids)])


def click_through(
    model: Segmenter, image: NDArray[np.uint8], truth: NDArray[np.bool_], correct: bool
) -> Result:
    """Click until the better goal is reached."""
    given = None
    if correct:
        given = mask_with_errors(np.random.default_rng(int(truth.sum())), truth).astype(np.uint8)
    predicted = np.zeros(truth.shape, bool) if given is None else given > 0
    clicks, ious, seconds = [], [], []
    for _ in range(MOST_CLICKS):
        click = next_click(predicted, truth)
        if click is None:
            ious.append(1.0)
            break
        clicks.append(click)
        began = time.perf_counter()
        predicted = model.segment(image, clicks, given) > 0
        seconds.append(time.perf_counter() - began)
        ious.append(float((predicted & truth).sum() / (predicted | truth).sum()))
        if ious[-1] >= max(GOALS):
            break
    return Result("", ious, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stills", type=Path)
    parser.add_argument("--weights", type=Path, default=BUNDLED)
    parser.add_argument("--segmenter", help="another model, as for limpet segment")
    parser.add_argument("--photos", type=int, default=200, help="held out, as --held-out was in training")
    parser.add_argument("--first", type=int, help="only so many of them")
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--correct", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    model = (
        load_segmenter(options.segmenter)
        if options.segmenter
        else ClickModel(options.weights, size=options.size)
    )
    assert model is not None
    cache, results = ImageCache(480, max_bytes=2e8), []
    for still in progress(held_out(StillsFolder(options.stills), options.photos)[: options.first]):
        loaded = cache.load(still.image, still.mask)
        truth = chosen_object(still, loaded.mask)
        if truth is not None:
            found = click_through(model, loaded.image, truth, options.correct)
            results.append(Result(still.image.stem.split("_")[0], found.ious, found.seconds))
    text = "\n".join(table(results))
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


def table(results: list[Result]) -> list[str]:
    """Markdown: one row for each source of photos, and one for all."""
    by_source: dict[str, list[Result]] = defaultdict(list)
    for each in results:
        by_source[each.source].append(each)
    lines = [
        f"| photos | number | NoC@85 | NoC@90 | never 90 % in {MOST_CLICKS} | IoU after 1 click | 3 | 5 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, found in [*sorted(by_source.items()), ("all", results)]:
        clicks = [statistics.mean(each.clicks_for(goal) for each in found) for goal in GOALS]
        never = sum(max(each.ious) < max(GOALS) for each in found)
        after = [
            statistics.mean(each.ious[min(count, len(each.ious)) - 1] for each in found)
            for count in (1, 3, 5)
        ]
        numbers = " | ".join(f"{100 * value:.1f}" for value in after)
        lines.append(f"| {name} | {len(found)} | {clicks[0]:.2f} | {clicks[1]:.2f} | {never} | {numbers} |")
    times = sorted(1000 * each for result in results for each in result.seconds[1:])
    if times:
        lines += ["", f"a further click: {statistics.median(times):.0f} ms in the median"]
    return lines


if __name__ == "__main__":
    main()
