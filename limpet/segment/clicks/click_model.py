"""The click model: masks of clicks on a photo or a frame, by a small network on a CPU.

The network sees the object large: after the first look at the whole image, and with each further click, it looks at a
window around the mask (zoom-in, Sofiiuk et al., 2020), each time beside its mirror image. A click on a mask that was
there before changes only the parts that it touches (progressive merge, FocalClick, Chen et al., 2022, section 3.4).
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from limpet.core.tracker_protocol import Image, Mask
from limpet.data.photometric import normalise
from limpet.models.frozen_norm import fold_frozen_norms
from limpet.segment.clicks.click_config import NAME, NOTE, STRIDE
from limpet.segment.clicks.click_network import load_click_network
from limpet.segment.clicks.guides import draw_guides
from limpet.segment.segmenter import Click, check_clicks, touched_only

SIZE = 256
"""Longer side of what the network sees, in pixels."""
_MARGIN = 1.4
"""The window's sides, in units of those of the mask and its clicks."""
_SMALLEST = 48
"""Shorter side of a window, in pixels of the image."""
_WORTH_A_SECOND_LOOK = 0.6
"""Share of the image below which a window is looked at again."""
_FAR = 0.25
"""Share of the image's longer side beyond which a click does not reach."""
Soft = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """A part of an image, in pixels: [top, bottom) x [left, right)."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """H, W."""
        return self.bottom - self.top, self.right - self.left


class ClickModel:
    """Makes masks of clicks; implements ``limpet.segment.Segmenter``.

    Args:
        weights: a file of the click model's.
        device: "cpu" or "cuda".
        size: longer side of what the network sees, in pixels.

    Raises:
        WeightsError: no such file, or one of another model.
    """

    name = NAME
    note = NOTE

    def __init__(self, weights: Path, device: str = "cpu", size: int = SIZE) -> None:
        network = fold_frozen_norms(load_click_network(weights)).eval()
        self._network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device, self._size = device, size
        self._lock = threading.Lock()
        self._known: tuple[bytes, dict[tuple[Click, ...], Soft]] = (b"", {})

    def segment(self, image: Image, clicks: Sequence[Click], mask: Mask | None = None) -> Mask:
        """See ``Segmenter``. Raises MaskError: no click, or one outside of the image."""
        check_clicks(image, clicks)
        given = None if mask is None or not mask.any() else mask > 0
        key = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16)
        key.update(b"" if given is None else given.tobytes())
        with self._lock:
            if self._known[0] != key.digest():
                self._known = (key.digest(), {})
            soft = self._after(image, tuple(clicks), given, self._known[1])
        return (soft > 0.5).astype(np.uint8)

    def _after(
        self,
        image: Image,
        clicks: tuple[Click, ...],
        given: NDArray[np.bool_] | None,
        known: dict[tuple[Click, ...], Soft],
    ) -> Soft:
        """The mask after the clicks, each of which was made on the mask after those before it."""
        before = None if given is None else given.astype(np.float32)
        for count in range(1, len(clicks) + 1):
            done = clicks[:count]
            if done not in known:
                known[done] = self._one_more(image, done, before, keep_others=given is not None)
            before = known[done]
        assert before is not None
        return before

    def _one_more(
        self, image: Image, clicks: tuple[Click, ...], before: Soft | None, keep_others: bool
    ) -> Soft:
        height, width = image.shape[:2]
        whole = Window(0, height, 0, width)
        if before is None or not (before > 0.5).any():
            after = self._look(image, whole, clicks, before)
            window = _around(after > 0.5, clicks)
            if window.size[0] * window.size[1] < _WORTH_A_SECOND_LOOK * height * width:
                after = self._look(image, window, clicks, after)
        else:
            after = self._look(image, _around(before > 0.5, clicks), clicks, before)
        if keep_others and before is not None:
            after = touched_only(before, after, clicks[-1])
        after = _obeying(after, clicks)
        return after if keep_others else _clicked_pieces(after, clicks)

    @torch.inference_mode()
    def _look(self, image: Image, window: Window, clicks: Sequence[Click], before: Soft | None) -> Soft:
        """The mask as seen through a window and in a mirror, the mean of both; outside of it nothing changes."""
        height, width = window.size
        scale = self._size / max(height, width)
        inner = (max(1, round(height * scale)), max(1, round(width * scale)))
        part = np.s_[window.top : window.bottom, window.left : window.right]
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        crop = cv2.resize(np.ascontiguousarray(image[part]), inner[::-1], interpolation=way)
        mask = None if before is None else cv2.resize(before[part], inner[::-1], interpolation=way)
        moved = [
            Click((c.x + 0.5 - window.left) * scale - 0.5, (c.y + 0.5 - window.top) * scale - 0.5, c.positive)
            for c in clicks
        ]
        padding = [(0, -side % STRIDE) for side in inner]
        guides = np.pad(
            draw_guides(moved, inner, None if mask is None else np.asarray(mask, np.float32)),
            [(0, 0), *padding],
        )
        pixels = np.pad(np.asarray(crop), [*padding, (0, 0)]).transpose(2, 0, 1)[None]
        seen = normalise(torch.from_numpy(np.ascontiguousarray(pixels)).to(self._device).float().div_(255))
        shown = torch.from_numpy(guides[None]).to(self._device)
        logits = self._network(
            torch.cat([seen, seen.flip(3)]).contiguous(memory_format=torch.channels_last),
            torch.cat([shown, shown.flip(3)]),
        )
        mean = (logits[:1] + logits[1:].flip(3)) / 2
        found = mean.sigmoid()[0, 0, : inner[0], : inner[1]].cpu().numpy()
        after = np.zeros(image.shape[:2], np.float32) if before is None else before.copy()
        after[part] = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)
        return after


def _obeying(soft: Soft, clicks: Sequence[Click]) -> Soft:
    """The mask, where the network did not follow the last click with a disk of what that said.

    It reaches half of the way to the nearest click that says the opposite; the network sees it with the next click.
    """
    last = clicks[-1]
    if (soft[int(last.y), int(last.x)] > 0.5) == last.positive:
        return soft
    opposite = [each for each in clicks if each.positive != last.positive]
    away = min((math.hypot(each.x - last.x, each.y - last.y) for each in opposite), default=np.inf)
    radius = max(1, int(min(away, _FAR * max(soft.shape)) / 2))
    return cv2.circle(soft.copy(), (int(last.x), int(last.y)), radius, float(last.positive), thickness=-1)  # type: ignore[return-value]


def _clicked_pieces(soft: Soft, clicks: Sequence[Click]) -> Soft:
    """Only the connected pieces on which a click on the object lies; where all clicks miss, everything."""
    _, pieces = cv2.connectedComponents((soft > 0.5).astype(np.uint8), connectivity=8)
    clicked = {int(pieces[int(each.y), int(each.x)]) for each in clicks if each.positive} - {0}
    if not clicked:
        return soft
    return np.where((pieces == 0) | np.isin(pieces, list(clicked)), soft, np.float32(0))


def _around(mask: NDArray[np.bool_], clicks: Sequence[Click]) -> Window:
    """The window that shows a mask and the clicks with a margin."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    ys = [c.y for c in clicks] + ([float(rows[0]), float(rows[-1])] if len(rows) else [])
    xs = [c.x for c in clicks] + ([float(columns[0]), float(columns[-1])] if len(columns) else [])
    top, bottom = _widened(min(ys), max(ys) + 1, height)
    left, right = _widened(min(xs), max(xs) + 1, width)
    return Window(top, bottom, left, right)


def _widened(low: float, high: float, end: int) -> tuple[int, int]:
    side = max((high - low) * _MARGIN, _SMALLEST)
    middle = (low + high) / 2
    return max(0, int(middle - side / 2)), min(end, int(np.ceil(middle + side / 2)))
