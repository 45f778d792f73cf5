"""One picture, and clicks, a box or a line along an edge: a mask to begin with."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limpet.segment.choose_segmenter import load_segmenter
    from limpet.segment.grabcut import segment_box
    from limpet.segment.livewire import Livewire
    from limpet.segment.segmenter import Click, Segmenter

__all__ = ["Click", "Livewire", "Segmenter", "load_segmenter", "segment_box"]

_LATER = {
    "Click": "limpet.segment.segmenter",
    "Livewire": "limpet.segment.livewire",
    "Segmenter": "limpet.segment.segmenter",
    "load_segmenter": "limpet.segment.choose_segmenter",
    "segment_box": "limpet.segment.grabcut",
}


def __getattr__(name: str) -> object:
    # OpenCV takes a while to import, and the command line reads settings of this package before it needs anything else.
    if name not in _LATER:
        raise AttributeError(f"module 'limpet.segment' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
