"""Whether tensors fit a model: what is missing, what is unexpected, what has another shape, and the lists to read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

Shape = tuple[int, ...]
FEW = 3


@dataclass(frozen=True)
class Fit:
    """How given tensors differ from the expected ones; all empty where they fit.

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
        """Everything that does not fit, a part or tensor a line."""
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
