"""Which model tensors are of: their names and shapes beside those of every model in the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from limpet.models import build_model
from limpet.registry import entries, find

# Tables of indices that follow from the sizes; files need not hold them.
BUILT = "relative_position_index"
NEAR = 0.5
Shapes = frozenset[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Likeness:
    """Models with the same tensors as one another, and how like theirs the given ones are.

    models: names, in the table's order. They differ in settings that no tensor tells, such as what is remembered.
    share: tensors of equal name and shape, of all that are in either (0 to 1).
    """

    models: tuple[str, ...]
    share: float


def model_tensors(model: str) -> dict[str, Tensor]:
    """The state dict of the preset called ``model`` without any numbers (on "meta").

    Raises:
        ModelError: unknown name.
    """
    with torch.device("meta"):
        return build_model(find(model).config()).state_dict()


def all_shapes() -> dict[str, Shapes]:
    """Names and shapes of the tensors of every model in the table."""
    return {entry.name: _shapes(model_tensors(entry.name)) for entry in entries()}


def likenesses(tensors: Mapping[str, Tensor], models: Mapping[str, Shapes] | None = None) -> list[Likeness]:
    """Every model of the table (or only of ``models``), the most alike first."""
    given = _shapes(tensors)
    siblings: dict[Shapes, list[str]] = {}
    for name, expected in (all_shapes() if models is None else models).items():
        siblings.setdefault(expected, []).append(name)
    found = [
        Likeness(tuple(names), len(given & expected) / max(len(given | expected), 1))
        for expected, names in siblings.items()
    ]
    return sorted(found, key=lambda likeness: -likeness.share)


def in_words(found: Sequence[Likeness]) -> str:
    """What ``likenesses`` found, for a person."""
    best = found[0]
    names = " or ".join(best.models) + _siblings(best.models)
    if best.share == 1:
        return f"it is {names}"
    if best.share < NEAR:
        return "it looks like none of limpet's models"
    return f"it looks like {names}: {int(100 * best.share)} % of the tensors agree"


def _siblings(models: Sequence[str]) -> str:
    if len(models) == 1:
        return ""
    configs = {replace(find(model).config(), long_term_gap=None) for model in models}
    return f" (same tensors; they differ in {'memory' if len(configs) == 1 else 'settings'} only)"


def _shapes(tensors: Mapping[str, Tensor]) -> Shapes:
    return frozenset(
        (name, tuple(tensor.shape)) for name, tensor in tensors.items() if not name.endswith(BUILT)
    )
