"""limpet's own weights files: safetensors whose header names the model and where the weights come from.

``compare`` at the end lists how the tensors of a file differ from those that a model expects.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from limpet.core.errors import WeightsError
from limpet.core.files import atomic_path
from limpet.core.json_text import parse_json
from limpet.tensor_files import read_tensors, tensor_file, with_facts

FORMAT = "limpet-weights-1"
ENCODER = "encoder."  # how a model's weights name those of its encoder


@dataclass(frozen=True)
class Weights:
    """A weights file's content: the model's name, its tensors, and facts as text (origin, licence, command)."""

    model: str
    tensors: dict[str, Tensor]
    facts: dict[str, str] = field(default_factory=dict)


def write_weights(path: Path, weights: Weights, dtype: torch.dtype = torch.float16) -> str:
    """Write tensors as ``dtype`` (integers as they are); returns the file's sha256.

    Raises:
        WeightsError: a value is NaN, infinite or beyond the range of ``dtype``; nothing is written.
        OutputError: the file cannot be written.
    """
    tensors = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).contiguous().clone()
        for name, tensor in weights.tensors.items()
    }
    broken = not_finite(tensors)
    if broken:
        raise WeightsError(
            f"{path} is not written: {broken}, or too large for {str(dtype).removeprefix('torch.')}"
        )
    header = {"format": FORMAT, "model": weights.model, "facts": json.dumps(weights.facts)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(tensor_file(tensors, header))
    return sha256(path)


def write_facts(path: Path, facts: Mapping[str, str], out: Path) -> str:
    """Write ``path`` again as ``out`` with these facts added to its own; returns the new sha256.

    No byte of a tensor changes: what the model does stays the same, though the file's hash is another.

    Raises:
        WeightsError: ``path`` is missing, damaged, or not one of ours. OutputError: ``out`` cannot be written.
    """
    known = read_weights(path)
    header = {"format": FORMAT, "model": known.model, "facts": json.dumps(known.facts | dict(facts))}
    with atomic_path(out) as temporary:
        temporary.write_bytes(with_facts(path.read_bytes(), header))
    return sha256(out)


def read_weights(path: Path) -> Weights:
    """Read a limpet weights file; tensors come back in float32.

    Raises:
        WeightsError: the file is missing, damaged, or not one of ours.
    """
    header, tensors = _read(path)
    if header.get("format") != FORMAT:
        raise WeightsError(
            f"{path} is a safetensors file but not one of limpet's; convert official checkpoints with: "
            f"limpet weights convert FILE.pth --model NAME"
        )
    try:
        facts = {str(name): str(value) for name, value in parse_json(header["facts"]).items()}
        return Weights(header["model"], tensors, facts)
    except (AttributeError, KeyError, ValueError) as error:
        raise WeightsError(
            f"the header of {path} is damaged ({error!r}); copy or download it again"
        ) from error


def read_encoder(path: Path) -> dict[str, Tensor]:
    """Tensors of an image encoder (torchvision's names) from any safetensors file, in float32.

    Where the file has a whole model's weights, the encoder is taken out of them. The counters of ordinary batch norms
    are left out, because frozen norms do not use them.
    """
    tensors = _read(path)[1]
    within = {
        name.removeprefix(ENCODER): tensor for name, tensor in tensors.items() if name.startswith(ENCODER)
    }
    return {
        name: tensor
        for name, tensor in (within or tensors).items()
        if not name.endswith("num_batches_tracked")
    }


def load_into(model: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Load every tensor into ``model``, or none.

    Raises:
        WeightsError: names, shapes or kinds of numbers do not fit; the message lists them.
    """
    expected = model.state_dict()
    fit = compare(expected, tensors)
    if not fit:
        raise WeightsError(f"{what} does not fit the model: {fit.summary()}; is it made for another model?")
    whole = [n for n, t in tensors.items() if t.is_floating_point() != expected[n].is_floating_point()]
    if whole:
        kind = str(tensors[whole[0]].dtype).removeprefix("torch.")
        raise WeightsError(
            f"{what} cannot be used: {_few(whole)} are {kind}, where "
            f"{str(expected[whole[0]].dtype).removeprefix('torch.')} is expected; write the weights as floating point"
        )
    model.load_state_dict(dict(tensors))


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    header, tensors = read_stored(path)
    if broken := not_finite(tensors):
        raise WeightsError(f"{path} cannot be used: {broken}; copy or download it again, or train anew")
    return header, {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}


def not_finite(tensors: Mapping[str, Tensor]) -> str:
    """Which tensors hold values that are NaN or infinite, or give such, as a part of a sentence; empty if none."""
    numbers = {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}
    if broken := [name for name, tensor in numbers.items() if not tensor.isfinite().all()]:
        return f"values of {_few(broken)} are NaN or infinite"
    negative = [
        name for name, tensor in numbers.items() if name.endswith("running_var") and (tensor < 0).any()
    ]
    return f"variances in {_few(negative)} are negative" if negative else ""


def is_torch_file(path: Path) -> bool:
    """Whether torch.save made it: a zip, or a pickle in old files."""
    with path.open("rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02")


def _few(names: Sequence[str]) -> str:
    return f"{', '.join(names[:FEW])}{', …' if len(names) > FEW else ''}"


def read_stored(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The header and the tensors of any safetensors file, in the types that were stored.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    if not path.is_file():
        raise WeightsError(f"there is no weights file at {path}")
    try:
        return read_tensors(path)
    except (SafetensorError, OSError) as error:
        if is_torch_file(path):
            raise WeightsError(
                f"{path} is a checkpoint of PyTorch, not a safetensors file; convert official checkpoints with: "
                "limpet weights convert FILE.pth --model NAME"
            ) from error
        raise WeightsError(
            f"{path} is not a whole safetensors file ({error}); it may be truncated: copy or download it again"
        ) from error


Shape = tuple[int, ...]
FEW = 3


@dataclass(frozen=True)
class Fit:
    """How given tensors differ from the expected ones; everything is empty where they fit.

    missing: names that were expected and not given, as ``parts`` lists them.
    unexpected: the reverse.
    reshaped: name -> (the given shape, the expected one).
    counts: how many names are missing, unexpected and of another shape.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: Mapping[str, tuple[Shape, Shape]]
    counts: tuple[int, int, int]

    def __bool__(self) -> bool:
        return not any(self.counts)

    def summary(self) -> str:
        """One line with the first names of each kind."""
        kinds = ("missing", "unexpected", "of another shape")
        lists = (self.missing, self.unexpected, tuple(self._shapes()))
        return "; ".join(
            f"{count} {kind} ({', '.join(names[:FEW])}{', …' if len(names) > FEW else ''})"
            for count, kind, names in zip(self.counts, kinds, lists, strict=True)
            if count
        )

    def lines(self) -> list[str]:
        """Everything that does not fit, one part or tensor per line."""
        return [
            *(f"missing: {name}" for name in self.missing),
            *(f"unexpected: {name}" for name in self.unexpected),
            *(f"of another shape: {text}" for text in self._shapes()),
        ]

    def _shapes(self) -> Iterable[str]:
        for name, (given, expected) in self.reshaped.items():
            yield f"{name} is {given}, expected {expected}"


def compare(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Fit:
    """How the tensors of a file differ from a model's; only names and shapes count, so either may be on "meta"."""
    missing = [name for name in expected if name not in given]
    unexpected = [name for name in given if name not in expected]
    both = [name for name in given if name in expected]
    reshaped = {
        name: (tuple(given[name].shape), tuple(expected[name].shape))
        for name in both
        if given[name].shape != expected[name].shape
    }
    return Fit(
        tuple(parts(missing, both)),
        tuple(parts(unexpected, both)),
        reshaped,
        (len(missing), len(unexpected), len(reshaped)),
    )


def parts(names: Collection[str], others: Iterable[str]) -> list[str]:
    """``names`` as short as they can be told from ``others``: ``layers.1.* (43)`` where no other begins so.

    Nothing is left out: a part stands for all of its names, whose number is in brackets.
    """
    taken = {prefix for other in others for prefix in _prefixes(other)}
    sizes: dict[str, list[str]] = {}
    for name in names:
        part = next((prefix for prefix in _prefixes(name) if prefix not in taken), name)
        sizes.setdefault(part, []).append(name)
    return [
        found[0] if len(found) == 1 else f"{part}.* ({len(found)} tensors)" for part, found in sizes.items()
    ]


def _prefixes(name: str) -> list[str]:
    """``a.b.c`` -> ``a``, ``a.b``, ``a.b.c``."""
    words = name.split(".")
    return [".".join(words[:count]) for count in range(1, len(words) + 1)]
