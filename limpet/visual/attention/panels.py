"""What all attention pictures share: titled panels above a caption, and dots, stars and lines drawn into them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from limpet.visual.attention.attention_scene import AttentionScene, FrameView
from limpet.visual.overlay import draw_overlay, object_colour

WIDTH = 1280
_MAX_PANEL_HEIGHT = 620  # with titles and caption a picture of a portrait video still fits on a screen
_MARGIN, _GAP, _TITLE, _LINE = 16, 12, 26, 22
_PAGE, _INK, _SOFT = "#17191c", "#eceef0", "#a0a7ae"
_FILL = 0.25  # opacity of the objects in the query frame
_DIMMED = 0.5  # brightness of the frames with keys
_SHIFT = 4  # OpenCV takes sixteenths of a pixel

Pixels = NDArray[np.uint8]
"""A picture, (H, W, 3) RGB."""
Colour = tuple[int, int, int]
Point = Sequence[float] | NDArray[np.float32]
"""(x, y) in pixels."""
DrawKeys = Callable[[Pixels, int], None]
"""Draws into a panel, given the number of the frame as in ``AttentionRecord.key_frames``."""
DARK: Colour = (16, 18, 20)
LIGHT: Colour = (255, 255, 255)


@dataclass(frozen=True)
class Panel:
    """A title, and a picture uint8 (H, W, 3) RGB of the size that ``panel_size`` gives."""

    title: str
    image: Pixels


@dataclass(frozen=True)
class Caption:
    """The text below: one line that names the picture, lines that explain it, and names of colours."""

    headline: str
    lines: tuple[str, ...] = ()
    colours: tuple[tuple[str, Colour], ...] = ()


def draw_panels(
    scene: AttentionScene,
    draw_keys: DrawKeys,
    caption: Caption,
    *,
    draw_queries: Callable[[Pixels], None] = lambda image: None,
) -> Pixels:
    """The query frame beside the frames with keys.

    Args:
        draw_keys: into the panels with keys, in which the frame is dimmed and the objects are outlined.
        draw_queries: into the panel of the query frame.

    Returns:
        uint8 (H, W, 3) RGB; all scenes of one video give the same size.
    """
    size = panel_size(scene.now.mask.shape[:2], 1 + scene.key_panels)
    panels = [query_panel(scene, size)]
    draw_queries(panels[0].image)
    panels += [_key_panel(scene, key, size, draw_keys) for key in scene.shown_keys]
    return compose(panels, caption)


def query_panel(scene: AttentionScene, size: tuple[int, int]) -> Panel:
    """The query frame with its objects."""
    image = draw_overlay(resized(scene.now.image, size), _drawn_objects(scene, scene.now, size), fill=_FILL)
    return Panel(f"Frame {scene.now.index}: the queries", image)


def dimmed_view(scene: AttentionScene, key: int, size: tuple[int, int]) -> Pixels:
    """Another frame, grey and dark, so that colours stand out, with its objects outlined; (H, W) of a panel."""
    view = scene.views[key]
    return draw_overlay(_dimmed(resized(view.image, size)), _drawn_objects(scene, view, size), fill=0)


def object_colours(scene: AttentionScene) -> tuple[tuple[str, Colour], ...]:
    """The objects' names and colours for a caption, and which of them are not visible."""
    return tuple(
        (
            f"object {each.object_id}" + ("" if len(each.queries) else " (not visible in this frame)"),
            object_colour(each.object_id),
        )
        for each in scene.objects
    )


def dots_per_key(scene: AttentionScene) -> str:
    """A sentence for the caption, where each key has several dots."""
    groups = len(scene.records[0].sampling_locations)
    return f" Each key is sampled at {groups} locations, drawn as {groups} dots." if groups > 1 else ""


def panel_size(size: tuple[int, int], panels: int) -> tuple[int, int]:
    """(H, W) of each of so many panels for frames of ``size`` (H, W)."""
    room = (WIDTH - 2 * _MARGIN - (panels - 1) * _GAP) / panels
    scale = min(room / size[1], _MAX_PANEL_HEIGHT / size[0])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resized(image: Pixels, size: tuple[int, int], nearest: bool = False) -> Pixels:
    """A frame, or with ``nearest`` a mask, at (H, W) of a panel."""
    smaller = size[0] < image.shape[0]
    method = cv2.INTER_NEAREST if nearest else cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size[::-1], interpolation=method), np.uint8)


def compose(panels: Sequence[Panel], caption: Caption) -> Pixels:
    """The picture, uint8 (H, 1280, 3) RGB. Its height depends only on the panels and the number of lines."""
    height, width = panels[0].image.shape[:2]
    lines = 1 + len(caption.lines) + bool(caption.colours)
    bottom = _MARGIN + _TITLE + height + 10
    sheet = Image.new("RGB", (WIDTH, bottom + lines * _LINE + _MARGIN), _PAGE)
    draw = ImageDraw.Draw(sheet)
    for column, panel in enumerate(panels):
        left = _MARGIN + column * (width + _GAP)
        draw.text((left, _MARGIN), panel.title, _INK, _font(15))
        sheet.paste(Image.fromarray(panel.image), (left, _MARGIN + _TITLE))
    draw.text((_MARGIN, bottom), caption.headline, _INK, _font(16))
    for number, text in enumerate(caption.lines):
        draw.text((_MARGIN, bottom + (number + 1) * _LINE), text, _SOFT, _font(14))
    _draw_colours(draw, caption, bottom + (1 + len(caption.lines)) * _LINE)
    return np.asarray(sheet)


def dot(image: Pixels, at: Point, radius: float, colour: Colour, rim: Colour = DARK) -> None:
    """A filled circle around (x, y) with a thin rim; radius in pixels. Draws into ``image``."""
    centre = _fixed(at)
    cv2.circle(image, centre, round((radius + 1) * 2**_SHIFT), rim, -1, cv2.LINE_AA, _SHIFT)
    cv2.circle(image, centre, round(radius * 2**_SHIFT), colour, -1, cv2.LINE_AA, _SHIFT)


def line(image: Pixels, begin: Point, end: Point, colour: Colour, width: int = 1) -> None:
    """A line between two points (x, y). Draws into ``image``."""
    cv2.line(image, _fixed(begin), _fixed(end), colour, width, cv2.LINE_AA, _SHIFT)


def star(image: Pixels, at: Point, radius: float, colour: Colour) -> None:
    """A five-pointed star around (x, y) with a dark rim. Draws into ``image``."""
    for size, fill in ((radius * 1.45, DARK), (radius, colour)):
        corners = _star_corners(size) + np.asarray(at)
        points = np.rint(corners * 2**_SHIFT).astype(np.int32)
        cv2.fillPoly(image, [points], fill, cv2.LINE_AA, _SHIFT)


def _key_panel(scene: AttentionScene, key: int | None, size: tuple[int, int], draw_keys: DrawKeys) -> Panel:
    if key is None:
        return Panel("The memory holds no other frame yet", np.full((*size, 3), 24, np.uint8))
    outlined = dimmed_view(scene, key, size)
    draw_keys(outlined, key)
    index = scene.views[key].index
    where = "the same frame" if index == scene.now.index else "from memory"
    return Panel(f"Frame {index} ({where}): the keys", outlined)


def _dimmed(image: Pixels) -> Pixels:
    """Grey and dark, so that colours stand out."""
    grey = image.mean(axis=2, keepdims=True) * _DIMMED
    return np.broadcast_to(grey, image.shape).astype(np.uint8)


def _drawn_objects(scene: AttentionScene, view: FrameView, size: tuple[int, int]) -> Pixels:
    kept = np.where(np.isin(view.mask, scene.object_ids), view.mask, 0).astype(np.uint8)
    return resized(kept, size, nearest=True)


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


def _star_corners(radius: float) -> NDArray[np.float64]:
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    radii = np.where(np.arange(10) % 2, 0.42, 1.0) * radius
    return np.stack([np.cos(angles) * radii, np.sin(angles) * radii], axis=-1)


def _fixed(at: Point) -> tuple[int, int]:
    return round(at[0] * 2**_SHIFT), round(at[1] * 2**_SHIFT)
