"""What a file of weights is: one of limpet's, a training checkpoint, an official checkpoint, or something else."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from limpet.errors import WeightsError
from limpet.weights.files import FORMAT, read_stored, read_weights, sha256
from limpet.weights.identify import in_words, likenesses
from limpet.weights.official import read_official

Rows = list[tuple[str, str]]


def describe_weights(path: Path) -> Rows:
    """What there is to know of a file, as (heading, text): what it is, its size, its sha256, its origin.

    Raises:
        WeightsError: there is no such file, or nothing in it can be read.
    """
    if not path.is_file():
        raise WeightsError(f"there is no weights file at {path}")
    rows = _official(path) if _is_torch(path) else _safetensors(path)
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
    return [("what", f"safetensors of another program; {in_words(likenesses(tensors))}"), *_sizes(tensors)]


def _official(path: Path) -> Rows:
    content = read_official(path)
    found = likenesses(content.tensors)
    rows = [("what", f"a checkpoint with official names; {in_words(found)}"), *_sizes(content.tensors)]
    rows += [("part", content.part)] if content.part else []
    return [*rows, *(("note", note) for note in content.notes)]


def _sizes(tensors: dict[str, Tensor]) -> Rows:
    kinds = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()})
    numbers = sum(tensor.numel() for tensor in tensors.values())
    return [("tensors", f"{len(tensors)}, {numbers / 1e6:.1f} million numbers, {' and '.join(kinds)}")]


def _is_torch(path: Path) -> bool:
    """Whether torch.save made it: a zip, or a pickle in old files."""
    with path.open("rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02")
