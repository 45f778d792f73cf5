"""Cuts the cat, the astronaut and the coffee cup out of the photographs in scikit-image's wheel.

A polygon drawn by hand says roughly where an object ends; GrabCut finds the true edge inside a band around it.
Licences of the photographs (all inside the wheel, nothing is downloaded):

- ``astronaut``: NASA, public domain, no known copyright restrictions
- ``chelsea`` (the cat): CC0, Stefan van der Walt
- ``coffee``: CC0, Rachel Michetti, courtesy of Pikolo Espresso Bar
- ``rocket`` (the background): SpaceX, released into the public domain
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import skimage.data


@dataclass(frozen=True)
class Outline:
    """Where an object lies in its photograph.

    polygon: corners (x, y) in pixels of the photograph; y may be negative when `pad_top` adds rows above.
    band: half the width, in pixels, of the strip around the polygon in which GrabCut looks for the edge.
    pad_top: rows added above the photograph by reflection.
    """

    photograph: str
    polygon: tuple[tuple[int, int], ...]
    band: int
    pad_top: int = 0


@dataclass(frozen=True)
class Cutout:
    """image: float32 (H, W, 3) RGB in [0, 1]. alpha: float32 (H, W) in [0, 1]."""

    image: np.ndarray
    alpha: np.ndarray


# fmt: off
OUTLINES = {
    # The photograph ends at the forehead. Reflected rows give the fur and the ear that continue above it:
    # the ear narrows downwards, so its reflection narrows upwards, to a tip.
    "cat": Outline("chelsea", (
        (35, 92), (35, 40), (40, -5), (50, -45), (62, -68), (72, -69), (88, -52), (108, -34), (150, -42),
        (200, -46), (255, -43), (298, -34), (322, -50), (342, -70), (354, -68), (368, -44), (379, -20), (382, 5),
        (372, 40), (360, 72), (366, 110), (358, 150), (342, 190), (326, 225), (308, 256), (286, 276), (255, 288),
        (210, 284), (170, 270), (130, 243), (98, 208), (66, 165), (46, 128),
    ), band=3, pad_top=80),
    "astronaut": Outline("astronaut", (
        (240, 14), (275, 28), (297, 55), (301, 90), (290, 120), (272, 138), (258, 172), (285, 195), (302, 225),
        (306, 236), (325, 247), (345, 280), (360, 330), (366, 348), (400, 343), (440, 354), (470, 380),
        (490, 420), (498, 455), (506, 470), (511, 490), (511, 511), (30, 511), (26, 480), (23, 440), (20, 400), (28, 345),
        (40, 295), (52, 262), (75, 235), (112, 207), (113, 185), (125, 165), (150, 150), (185, 148), (180, 135),
        (165, 118), (153, 100), (153, 70), (165, 50), (190, 38), (215, 20),
    ), band=8),
    # The saucer and the table share their colours, so the hand-drawn edge is trusted almost to the pixel.
    "coffee": Outline("coffee", (
        (476, 256), (470, 279), (460, 300), (446, 320), (429, 337), (410, 353), (387, 365), (363, 375), (337, 382),
        (310, 387), (279, 389), (250, 387), (217, 381), (181, 368), (140, 345), (118, 325), (100, 301), (84, 260),
        (78, 228), (77, 208), (79, 191), (84, 169), (93, 147), (104, 127), (120, 108), (138, 92), (160, 78),
        (176, 71), (182, 58), (191, 47), (209, 33), (230, 24), (257, 19), (285, 18), (315, 20), (338, 26),
        (358, 35), (377, 48), (391, 63), (399, 70), (411, 66), (422, 70), (424, 78), (418, 106), (435, 122),
        (451, 142), (463, 164), (472, 186), (477, 210), (479, 233),
    ), band=1),
}
# fmt: on


def photograph(name: str) -> np.ndarray:
    """A photograph of scikit-image's wheel, uint8 (H, W, 3) RGB."""
    return np.ascontiguousarray(getattr(skimage.data, name)()[..., :3])


def cut_out(outline: Outline) -> Cutout:
    """The object inside `outline`, with a softened edge."""
    padding = (outline.pad_top, 0, 0, 0)
    image = cv2.copyMakeBorder(photograph(outline.photograph), *padding, cv2.BORDER_REFLECT_101)
    inside = _smooth(_grab(image, _polygon_mask(image, outline), outline.band))
    alpha = _feather(inside)
    return Cutout(image.astype(np.float32) / 255, alpha)


def _polygon_mask(image: np.ndarray, outline: Outline) -> np.ndarray:
    corners = np.array(outline.polygon, np.int32) + (0, outline.pad_top)
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
    return mask


def _grab(image: np.ndarray, polygon: np.ndarray, band: int) -> np.ndarray:
    """uint8 (H, W) in {0, 1}: the polygon with its edge moved to the image's edge, by at most `band` pixels."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * band + 1, 2 * band + 1))
    # replicated borders: where the photograph cuts the object, the object is sure to continue
    labels = np.where(polygon > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[cv2.erode(polygon, disc) > 0] = cv2.GC_FGD
    labels[cv2.dilate(polygon, disc) == 0] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    cv2.grabCut(image[..., ::-1].copy(), labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)


def _smooth(inside: np.ndarray) -> np.ndarray:
    """The largest piece of `inside`, holes filled and jags rounded off."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inside)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    outer, _ = cv2.findContours((labels == largest).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(inside)
    cv2.drawContours(filled, outer, -1, 1, cv2.FILLED)
    rounded = cv2.GaussianBlur(filled.astype(np.float32), (0, 0), 3, borderType=cv2.BORDER_REPLICATE)
    return (rounded > 0.5).astype(np.uint8)


def _feather(inside: np.ndarray) -> np.ndarray:
    """float32 alpha (H, W): a ramp of about 3 pixels, drawn inwards so that no rim of the old background shows."""
    shrunk = cv2.erode(inside, np.ones((3, 3), np.uint8))
    return cv2.GaussianBlur(shrunk.astype(np.float32), (0, 0), 1.2, borderType=cv2.BORDER_REPLICATE)
