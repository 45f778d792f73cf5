"""The table of models: one decorator above a factory; listing them builds nothing.

@register("deaot-t", summary="…")
def deaot_t() -> DeAOTConfig: ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from limpet.core.errors import ModelError


@dataclass(frozen=True)
class ModelEntry:
    """One line of the table: a name, what it is, and the function that returns its configuration."""

    name: str
    summary: str
    config: Callable[[], Any]


_ENTRIES: dict[str, ModelEntry] = {}


def register(name: str, *, summary: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Put the decorated preset under ``name``. Raises ValueError when the name is taken."""

    def decorate(preset: Callable[[], Any]) -> Callable[[], Any]:
        if name in _ENTRIES:
            raise ValueError(f"model {name!r} is registered twice")
        _ENTRIES[name] = ModelEntry(name, summary, preset)
        return preset

    return decorate


def entries() -> list[ModelEntry]:
    """All registered models in the order of their registration."""
    import limpet.models  # noqa: F401  the presets register themselves

    return list(_ENTRIES.values())


def find(name: str) -> ModelEntry:
    """The entry called ``name``. Raises ModelError with the nearest names when there is none."""
    import difflib

    known = {entry.name: entry for entry in entries()}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"the models are: {', '.join(known)}"
    raise ModelError(f"there is no model called {name!r}; {hint}")
