"""What conversions can be asked for, and how one of several videos is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from limpet.core.errors import MaskError, Option


@dataclass(frozen=True)
class ConversionOptions:
    """What a conversion can be asked for.

    polygons: outlines instead of RLE, where a format has both. video: whose pictures alpha videos show.
    variant: the kind of a format that has several, set by its row in the table.
    """

    polygons: bool = False
    video: Path | None = None
    variant: str = ""


def chosen(names: Sequence[str], choice: str | None, where: str, what: str) -> str:
    """The one of ``names`` that is meant. Raises MaskError if there is none, or several and no choice."""
    if not names:
        raise MaskError(f"{where} has no {what}; export it again with its annotations")
    if choice is None and len(names) == 1:
        return names[0]
    if choice in names:
        return str(choice)
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    if choice is None:
        raise MaskError(
            f"{where} has {len(names)} {what}: {listed}; choose one with ", Option("sequence", "NAME")
        )
    raise MaskError(f"{where} has no {what} named {choice!r}; it has {listed}")
