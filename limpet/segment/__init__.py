"""One picture, and clicks, a box or a line along an edge: a mask to begin with."""

from __future__ import annotations

from limpet.segment.grabcut import segment_box
from limpet.segment.livewire import Livewire
from limpet.segment.segmenter import Click, Segmenter

__all__ = ["Click", "Livewire", "Segmenter", "segment_box"]
