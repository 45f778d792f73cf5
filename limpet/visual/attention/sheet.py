"""Panels side by side, each with a title, above a caption that says what to see in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from limpet.visual.attention.brush import Colour

WIDTH = 1280
_TALLEST = 620  # of a panel; with titles and caption a picture of a portrait video still fits a screen
_MARGIN, _GAP, _TITLE, _LINE = 16, 12, 26, 22
_PAGE, _INK, _SOFT = "#17191c", "#eceef0", "#a0a7ae"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Panel:
    """A title, and a picture uint8 (H, W, 3) RGB of the size that ``panel_size`` gives."""

    title: str
    image: Pixels


@dataclass(frozen=True)
class Caption:
    """What stands below: one line of what is shown, lines that explain it, and names of colours."""

    headline: str
    lines: tuple[str, ...] = ()
    colours: tuple[tuple[str, Colour], ...] = ()


def panel_size(size: tuple[int, int], panels: int) -> tuple[int, int]:
    """(H, W) of each of so many panels for frames of ``size`` (H, W)."""
    room = (WIDTH - 2 * _MARGIN - (panels - 1) * _GAP) / panels
    scale = min(room / size[1], _TALLEST / size[0])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resized(image: Pixels, size: tuple[int, int], nearest: bool = False) -> Pixels:
    """A frame, or with ``nearest`` a mask, at (H, W) of a panel."""
    smaller = size[0] < image.shape[0]
    way = cv2.INTER_NEAREST if nearest else cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size[::-1], interpolation=way), np.uint8)


def compose(panels: Sequence[Panel], caption: Caption) -> Pixels:
    """The picture, uint8 (H, 1280, 3) RGB. Its height depends on the panels and the number of lines alone."""
    height, width = panels[0].image.shape[:2]
    lines = 1 + len(caption.lines) + bool(caption.colours)
    bottom = _MARGIN + _TITLE + height + 10
    sheet = Image.new("RGB", (WIDTH, bottom + lines * _LINE + _MARGIN), _PAGE)
    draw = ImageDraw.Draw(sheet)
    for place, panel in enumerate(panels):
        left = _MARGIN + place * (width + _GAP)
        draw.text((left, _MARGIN), panel.title, _INK, _font(15))
        sheet.paste(Image.fromarray(panel.image), (left, _MARGIN + _TITLE))
    draw.text((_MARGIN, bottom), caption.headline, _INK, _font(16))
    for number, line in enumerate(caption.lines):
        draw.text((_MARGIN, bottom + (number + 1) * _LINE), line, _SOFT, _font(14))
    _draw_colours(draw, caption, bottom + (1 + len(caption.lines)) * _LINE)
    return np.asarray(sheet)


def _draw_colours(draw: ImageDraw.ImageDraw, caption: Caption, top: int) -> None:
    """As many as one line holds, and how many more there are."""
    left = float(_MARGIN)
    for number, (name, colour) in enumerate(caption.colours):
        width = 19 + draw.textlength(name, _font(14)) + 22
        if left + width > WIDTH - 130:
            draw.text((left, top), f"and {len(caption.colours) - number} more", _SOFT, _font(14))
            return
        draw.rectangle((left, top + 3, left + 12, top + 15), colour)
        draw.text((left + 19, top), name, _SOFT, _font(14))
        left += width


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
