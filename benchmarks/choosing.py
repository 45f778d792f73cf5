"""The table of docs/choosing_a_model.md: all models beside one another, on one machine in one hour.

    python benchmarks/choosing.py --write                         # times anew, and puts the table into the page
    python benchmarks/score.py --json scores.jsonl --model NAME   # the score, hours a model; give the file with:
    python benchmarks/choosing.py --write --scores scores.jsonl

Times are CPU milliseconds of a step in torch, the median over frames of which all models take turns; without --scores
the score of a model is taken from the table that is there, if the hash of its weights is still the same.
"""

from __future__ import annotations

import argparse
import json
import re
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from machine import begin
from turns import step_times

from limpet.bench.bench_clip import synthetic_clip
from limpet.models import build_model
from limpet.registry import entries, find
from limpet.tracking.tracker import Tracker
from limpet.weights.weights_file import sha256
from limpet.weights.zoo import bundled_weights

PAGE = Path(__file__).resolve().parents[1] / "docs" / "choosing_a_model.md"
BEGIN, END = "<!-- made by benchmarks/choosing.py -->", "<!-- end -->"
WITHOUT_WEIGHTS = (
    "deaot-t", "mobilevos-mobilenet-v2", "mobilevos-resnet-18", "devos-t", "stcn",
)  # fmt: skip
"""Models that are timed although no weights of them ship."""
SIZES = {"deaot-nano": 320}
"""The limit on the shorter side that a model is made for, where that is not 480."""
HEAD = (
    "| model | weights | score | parameters | file, MB | state, MB | CPU ms, 1 object | CPU ms, 3 objects |\n"
    "|---|---|---|---|---|---|---|---|"
)


class Row(NamedTuple):
    """A model of the table. score: J&F, "-" where it was not measured; megabytes: of the weights in fp16."""

    name: str
    weights: str
    score: str
    parameters: float
    megabytes: float
    state_mb: float
    milliseconds: tuple[float, ...]

    def line(self) -> str:
        """The row in Markdown."""
        times = " | ".join(f"{each:.0f}" for each in self.milliseconds)
        return (
            f"| `{self.name}` | {self.weights} | {self.score} | {self.parameters:.1f} M | {self.megabytes:.1f} | "
            f"{self.state_mb:.1f} | {times} |"
        )


def measured(
    names: list[str],
    frames: int,
    precision: Any,
    scores: dict[str, str],
    size: tuple[int, int] = (480, 854),
) -> list[Row]:
    """A row for each model. scores: by the first eight figures of the weights' hash. size: (H, W) of the frames."""
    trackers, parameters = {}, {}
    for name in names:
        model = build_model(find(name).config())
        parameters[name] = sum(parameter.numel() for parameter in model.parameters()) / 1e6
        trackers[name] = Tracker(model, precision=precision, max_size=SIZES.get(name, 480), name=name)
    found = []
    for objects in (1, 3):
        clip, mask = synthetic_clip(size, objects, frames + 3)
        found.append(step_times(trackers, clip, dict.fromkeys(trackers, mask), warm_up=2))
    rows = []
    for name in names:
        path = bundled_weights(name)
        digest = "" if path is None else sha256(path)[:8]
        megabytes = 2 * parameters[name] if path is None else path.stat().st_size / 1e6
        times = tuple(each[name].cpu for each in found)
        weights = f"ships ({digest})" if digest else "none"
        score = scores.get(digest, "-")
        rows.append(Row(name, weights, score, parameters[name], megabytes, found[0][name].state_mb, times))
    return rows


def read_scores(files: list[Path]) -> dict[str, str]:
    """The mean of 13 sequences by the hash of the weights, as benchmarks/score.py has written it; the last holds."""
    found = {}
    for line in (line for file in files for line in file.read_text().splitlines()):
        facts = json.loads(line)
        if facts["j_and_f"].get("score") is not None and facts["every"] == 1:
            found[facts["weights_sha256"][:8]] = f"{facts['j_and_f']['score']:.1f}"
    return found


def known_scores(page: str) -> dict[str, str]:
    """The scores of a page by the hash of the weights."""
    return dict(re.findall(r"ships \(([0-9a-f]{8})\) \| ([0-9.]+) \|", page))


def with_table(page: str, rows: list[Row], about: str) -> str:
    """The page with these rows in the place of its table."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return "\n".join([before + BEGIN, HEAD, *(row.line() for row in rows), "", about, END]) + after


def main() -> None:
    options = parse()
    machine = begin(options.threads)
    page = PAGE.read_text()
    scores = known_scores(page) | read_scores(options.scores)
    shipped = [entry.name for entry in entries() if bundled_weights(entry.name) is not None]
    names = options.models or [*shipped, *WITHOUT_WEIGHTS]
    rows = measured(names, options.frames, options.precision, scores)
    precision = "fp32 or bf16, as the processor has it" if options.precision == "auto" else options.precision
    about = (
        f"480x854, {precision}, {options.threads} threads of {machine['cpu']}, torch, {date.today()}, the median of "
        f"{options.frames} steps.\ndeaot-nano sees 320 lines, as it is meant to."
    )
    print("\n".join([HEAD, *(row.line() for row in rows), "", about]))
    if options.write:
        PAGE.write_text(with_table(page, rows, about))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", metavar="NAME", help="by default all that ship, and five more")
    parser.add_argument(
        "--scores", type=Path, nargs="+", default=[], help="files of benchmarks/score.py --json"
    )
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
