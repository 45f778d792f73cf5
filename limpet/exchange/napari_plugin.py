"""napari reads masks of videos as a layer of labels (T, H, W), and writes such layers for other programs.

The manifest is napari.yaml. Legend: T frames; H W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import LimpetError, MaskError
from limpet.exchange.formats import read_masks, recognise, write_masks
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence, time_of
from limpet.exchange.result_masks import is_result

Layer = tuple[NDArray[Any], dict[str, Any], str]
_MOST_BYTES = 8 << 30
_BY_SUFFIX = {".json": "youtube-vis", ".xml": "cvat-video", ".zip": "cvat-video"}


def napari_get_reader(path: str | list[str]) -> Callable[[str], list[Layer]] | None:
    """The reader for a path, or None if limpet cannot read it."""
    if isinstance(path, list):
        return None
    place = Path(path)
    try:
        if (place.is_dir() and is_result(place)) or (place.exists() and recognise(place) is not None):
            return read_layers
    except LimpetError:
        return None
    return None


def read_layers(path: str) -> list[Layer]:
    """One layer of labels; frames without masks are empty. Raises MaskError if it would take too much memory."""
    masks = read_masks(path)
    count = masks.frame_count or 1 + max((frame.index for frame in masks), default=0)
    dtype = np.uint8 if max(masks.names, default=0) <= 255 else np.uint16
    nbytes = count * masks.size[0] * masks.size[1] * np.dtype(dtype).itemsize
    if nbytes > _MOST_BYTES:
        raise MaskError(
            f"{path} would take {nbytes >> 20} MiB in napari; at most {_MOST_BYTES >> 20} are read"
        )
    labels = np.zeros((count, *masks.size), dtype)
    for frame in masks:
        labels[frame.index] = frame.labels
    names = {str(i): name for i, name in masks.names.items()}
    facts = {"video": masks.name, "frame_rate": masks.rate_text, "names": names, "notices": masks.notices}
    return [(labels, {"name": masks.title, "metadata": {"limpet": facts}}, "labels")]


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a layer of labels (T, H, W) or (H, W): .json as YouTube-VIS, .xml and .zip as CVAT for video."""
    labels = np.asarray(data)
    labels = labels[None] if labels.ndim == 2 else labels
    if labels.ndim != 3 or (labels.size and not 0 <= int(labels.min()) <= int(labels.max()) <= 65_535):
        raise MaskError(f"labels are {labels.shape}; expected (frames, height, width) with ids of 0 to 65535")
    out = Path(path)
    if out.suffix.lower() not in _BY_SUFFIX:
        raise MaskError(f"{out} has none of the endings {', '.join(_BY_SUFFIX)}")
    facts = attributes.get("metadata", {}).get("limpet", {})
    rate = Fraction(facts["frame_rate"]) if facts.get("frame_rate") else None
    known = {int(i): str(name) for i, name in facts.get("names", {}).items()}
    ids = sorted({*known, *(int(i) for i in np.unique(labels) if i)})

    def frames() -> Iterator[MaskFrame]:
        for index, each in enumerate(labels):
            yield MaskFrame(index, time_of(index, rate), each.astype(np.uint16))

    name = str(facts.get("video") or attributes.get("name") or "labels")
    size = (int(labels.shape[1]), int(labels.shape[2]))
    masks = MaskSequence(name, size, {i: known.get(i, "") for i in ids}, frames, len(labels), rate)
    write_masks(masks, out, _BY_SUFFIX[out.suffix.lower()], overwrite=True)
    return [str(out)]
