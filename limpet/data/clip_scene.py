"""What is drawn of a clip before its layers are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from limpet.data.image_cache import Picture


@dataclass(frozen=True)
class Scene:
    """Pictures (one or T), the ids in them that count as objects, and their kind (a still's, or video)."""

    pictures: tuple[Picture, ...]
    ids: tuple[int, ...]
    kind: str


class ClipStyle(NamedTuple):
    """How a clip is.

    energy: see ``draw_energy``. shutter: of its camera (0..1). crowded: many pasted objects.
    riders: chance that a pasted object rides on another.
    """

    energy: float
    shutter: float
    crowded: bool
    riders: float
