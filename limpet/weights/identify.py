"""What a file of weights is, and which model its tensors belong to, by their names and shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from limpet.core.errors import WeightsError
from limpet.models import ModelConfig, build_model
from limpet.registry import entries, find
from limpet.weights.official import read_official
from limpet.weights.weights_file import FORMAT, is_torch_file, read_stored, read_weights, sha256

# Index tables that follow from the sizes; files need not have them.
BUILT = "relative_position_index"
NEAR = 0.5
Shapes = frozenset[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class ModelMatch:
    """Models that share all tensors, and how well the given tensors match theirs.

    models: names, in the table's order. They differ in settings that no tensor shows, such as the memory.
    share: tensors of equal name and shape, as a share of those that are in either (0 to 1).
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
    return {entry.name: _shapes_of(entry.config()) for entry in entries()}


@cache
def _shapes_of(config: ModelConfig) -> Shapes:
    """Those of one configuration, built once in a process: all models together take seconds."""
    with torch.device("meta"):
        return _shapes(build_model(config).state_dict())


def match_models(
    tensors: Mapping[str, Tensor], models: Mapping[str, Shapes] | None = None
) -> list[ModelMatch]:
    """Every model of the table (or only of ``models``), the most alike first."""
    given = _shapes(tensors)
    siblings: dict[Shapes, list[str]] = {}
    for name, expected in (all_shapes() if models is None else models).items():
        siblings.setdefault(expected, []).append(name)
    found = [
        ModelMatch(tuple(names), len(given & expected) / max(len(given | expected), 1))
        for expected, names in siblings.items()
    ]
    return sorted(found, key=lambda likeness: -likeness.share)


def describe_matches(found: Sequence[ModelMatch]) -> str:
    """What ``match_models`` found, as the end of a sentence."""
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
    configs = {replace(find(model).config(), long_term_gap=None, long_term_frames=None) for model in models}
    return f" (same tensors; they differ in {'memory' if len(configs) == 1 else 'settings'} only)"


def _shapes(tensors: Mapping[str, Tensor]) -> Shapes:
    return frozenset(
        (name, tuple(tensor.shape)) for name, tensor in tensors.items() if not name.endswith(BUILT)
    )


Rows = list[tuple[str, str]]


def describe_weights(path: Path) -> Rows:
    """What is known of a file, as (heading, text): what it is, its size, its sha256, its origin.

    Raises:
        WeightsError: there is no such file, or nothing in it can be read.
    """
    if not path.is_file():
        raise WeightsError(f"there is no weights file at {path}")
    rows = _official(path) if is_torch_file(path) else _safetensors(path)
    return [*rows, ("bytes", f"{path.stat().st_size:,}"), ("sha256", sha256(path))]


def _safetensors(path: Path) -> Rows:
    header, tensors = read_stored(path)
    if header.get("format") == FORMAT:
        weights = read_weights(path)
        kind = [("what", f"weights of limpet for {weights.model}")]
        return [
            *kind,
            *_sizes(tensors),
            *((name.replace("_", " "), text) for name, text in weights.facts.items()),
        ]
    if header.get("format", "").startswith("limpet-checkpoint"):
        kind = [
            (
                "what",
                f"a training checkpoint of limpet after {header['step']} steps; go on with limpet train --resume",
            )
        ]
        return [*kind, *_sizes(tensors)]
    return [
        ("what", f"safetensors of another program; {describe_matches(match_models(tensors))}"),
        *_sizes(tensors),
    ]


def _official(path: Path) -> Rows:
    content = read_official(path)
    found = match_models(content.tensors)
    rows = [
        ("what", f"a checkpoint with official names; {describe_matches(found)}"),
        *_sizes(content.tensors),
    ]
    rows += [("part", content.part)] if content.part else []
    return [*rows, *(("note", note) for note in content.notes)]


def _sizes(tensors: dict[str, Tensor]) -> Rows:
    kinds = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()})
    numbers = sum(tensor.numel() for tensor in tensors.values())
    return [("tensors", f"{len(tensors)}, {numbers / 1e6:.1f} million numbers, {' and '.join(kinds)}")]
