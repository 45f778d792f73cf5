"""Model soups: the mean of the weights of several runs (Wortsman et al. 2022; MobileVOS, section 4).

Runs that go on from the same weights stay close enough to one another for their mean to be as good as the best of
them or better, at the cost of one model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from limpet.core.errors import WeightsError
from limpet.training.checkpoint import CHECKPOINT, load_checkpoint
from limpet.weights.weights_file import Weights, compare, read_weights


def average_weights(places: Sequence[Path]) -> Weights:
    """The mean of several weights of one model; tensors that are not floating-point are those of the first.

    Its fact ``parts`` holds the commands that made them, a line each, as far as they are known.

    Args:
        places: weights files, or folders of runs, of which the averaged weights of the last checkpoint are taken: also
            those of a run that was stopped early.

    Raises:
        WeightsError: nothing was given, a file is missing, damaged or does not fit the first.
        DataError: a folder has no checkpoint, or a damaged one.
    """
    if not places:
        raise WeightsError("there is nothing to average; name weights files or folders of runs")
    first, *others = [_read(place) for place in places]
    total = {name: tensor.double() for name, tensor in first.tensors.items() if tensor.is_floating_point()}
    for place, other in zip(places[1:], others, strict=True):
        if other.model != first.model:
            raise WeightsError(
                f"{place} holds weights of {other.model!r}, {places[0]} of {first.model!r}; only weights of one model "
                f"have a mean"
            )
        fit = compare(first.tensors, other.tensors)
        if not fit:
            raise WeightsError(f"{place} does not fit {places[0]}: {fit.summary()}")
        for name in total:
            total[name] += other.tensors[name].double()
    mean: dict[str, Tensor] = dict(first.tensors)
    mean.update({name: (value / len(places)).float() for name, value in total.items()})
    commands = [part.facts["command"] for part in (first, *others) if "command" in part.facts]
    flow = first.facts.get("flow")
    facts = {} if flow is None else {"flow": flow}
    return Weights(first.model, mean, facts | ({"parts": "\n".join(commands)} if commands else {}))


def _read(place: Path) -> Weights:
    if not place.is_dir():
        return read_weights(place)
    checkpoint = load_checkpoint(place / CHECKPOINT)
    return Weights(checkpoint.config.model, checkpoint.average, checkpoint.config.facts)
