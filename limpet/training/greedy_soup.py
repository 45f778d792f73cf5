"""Greedy model soups: which weights to average, found on training sequences (Wortsman et al. 2022; MobileVOS, 4.4).

Ingredients are checkpoints of one or several runs of a model. They are scored one by one; beginning with the best,
each is kept if the mean with it scores no worse than the mean without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from limpet import models
from limpet.core.errors import DataError, WeightsError
from limpet.data import VideoSequence
from limpet.evaluation.evaluate_videos import evaluate_tracker
from limpet.evaluation.protocols.davis import task_of_sequence
from limpet.evaluation.video_task import VideoTask
from limpet.registry import find
from limpet.tracking.tracker import Tracker
from limpet.training.checkpoint import CHECKPOINT, KEPT
from limpet.training.model_soup import average_weights
from limpet.weights.weights_file import Weights, load_into

ScoreWeights = Callable[[Weights, str], float]
"""Weights and what they are, in a few words, to their score; higher is better."""


class Tasted(NamedTuple):
    """One ingredient. score: its own. soup: of the mean that has it, None where it is alone; kept: it stayed."""

    place: str
    score: float
    soup: float | None
    kept: bool


@dataclass(frozen=True)
class Soup:
    """weights: the mean of what was kept. score: its score. tasted: every ingredient, the best first."""

    weights: Weights
    score: float
    tasted: tuple[Tasted, ...]

    @property
    def kept(self) -> list[str]:
        """The places of what is in the soup."""
        return [each.place for each in self.tasted if each.kept]

    def as_json(self) -> dict[str, Any]:
        """The report, in plain numbers and strings."""
        return {
            "model": self.weights.model,
            "score": self.score,
            "ingredients": [each._asdict() for each in self.tasted],
        }


@dataclass(frozen=True)
class TasteConfig:
    """How ingredients are scored.

    stride: every how many frames. max_frames: of a sequence, at most; None takes all. max_size: network input size.
    """

    stride: int = 2
    max_frames: int | None = None
    max_size: int = 480

    def as_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


def find_ingredients(places: Sequence[Path]) -> list[Path]:
    """Every weights that there are in ``places``.

    Args:
        places: weights files, and folders of runs: of these the weights that were kept on the way
            (``TrainConfig.keep_every``) and the last ones.

    Returns:
        Files, and folders whose checkpoint is meant; each once.

    Raises:
        DataError: a folder holds no run. WeightsError: there are fewer than two.
    """
    found: list[Path] = []
    for place in places:
        if not place.is_dir():
            found.append(place)
            continue
        inside = sorted((place / KEPT).glob("*.safetensors"))
        if (place / "weights.safetensors").is_file():
            inside.append(place / "weights.safetensors")
        elif (place / CHECKPOINT).is_file():
            inside.append(place)
        if not inside:
            raise DataError(f"there are no weights in {place}; expected the folder of a training run")
        found += inside
    found = list(dict.fromkeys(found))
    if len(found) < 2:
        raise WeightsError(
            f"there is nothing to choose from in {' '.join(map(str, places)) or 'nothing'}; name two weights or more, "
            f"or a run that kept some (keep_every)"
        )
    return found


def greedy_soup(places: Sequence[Path], score: ScoreWeights) -> Soup:
    """Choose among ``places``, of which each is a weights file or a run's folder, and average what is chosen.

    Args:
        score: called for each of them alone, then for the mean of those kept and the next one.

    Raises:
        WeightsError: see ``average_weights``. DataError: a folder has no checkpoint.
    """
    average_weights(places)  # whatever does not fit is told before the work
    alone = [
        score(average_weights([place]), f"{number} of {len(places)} alone")
        for number, place in enumerate(places, start=1)
    ]
    best_first = sorted(range(len(places)), key=lambda number: -alone[number])
    kept = [places[best_first[0]]]
    best = alone[best_first[0]]
    tasted = [Tasted(str(kept[0]), best, None, True)]
    for turn, number in enumerate(best_first[1:], start=2):
        place = places[number]
        found = score(average_weights([*kept, place]), f"soup with {turn} of {len(places)}")
        stays = found >= best
        if stays:
            kept, best = [*kept, place], found
        tasted.append(Tasted(str(place), alone[number], found, stays))
    weights = average_weights(kept)
    weights.facts["soup"] = (
        f"{len(kept)} of {len(places)} weights, greedily chosen: {best:.2f} after {max(alone):.2f}"
    )
    return Soup(weights, best, tuple(tasted))


def sequence_scorer(
    sequences: Sequence[VideoSequence],
    config: TasteConfig,
    device: torch.device,
    on_frame: Callable[[str, VideoTask, int], None] | None = None,
) -> ScoreWeights:
    """A score of weights: J&F (0..100) on ``sequences``, by the protocol of DAVIS.

    Args:
        on_frame: called after each frame with what is scored, the video and the frame's index.

    Raises:
        DataError: a sequence has too few frames for this stride.
    """
    for sequence in sequences:  # before hours of scoring
        task_of_sequence(sequence.thinned(config.stride, config.max_frames))

    def score(weights: Weights, what: str) -> float:
        model = models.build_model(find(weights.model).config())
        load_into(model, weights.tensors, what)
        tracker = Tracker(model.eval(), device, max_size=config.max_size, name=weights.model)
        scores = evaluate_tracker(
            tracker,
            sequences,
            stride=config.stride,
            max_frames=config.max_frames,
            on_frame=None if on_frame is None else lambda sequence, index: on_frame(what, sequence, index),
        )
        return 100 * scores.j_and_f

    return score
