"""Cuts the cat, the astronaut and the coffee cup out of the photographs in scikit-image's wheel.

A polygon drawn by hand says roughly where an object ends; GrabCut finds the true edge in a band around it.
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

from .outlines import Outline

GRABCUT_ROUNDS = 4


@dataclass(frozen=True)
class Cutout:
    """image: float32 (H, W, 3) RGB in [0, 1]. alpha: float32 (H, W) in [0, 1]."""

    image: np.ndarray
    alpha: np.ndarray


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
    corners = np.array(outline.polygon) + np.array((0, outline.pad_top))
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
    return mask


def _grab(image: np.ndarray, polygon: np.ndarray, band: int) -> np.ndarray:
    """uint8 (H, W) in {0, 1}: the polygon with its edge moved to the object's, by at most `band` pixels."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * band + 1, 2 * band + 1))
    labels = np.where(polygon > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[cv2.erode(polygon, disc) > 0] = cv2.GC_FGD
    labels[cv2.dilate(polygon, disc) == 0] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    anywhere = (0, 0, 0, 0)  # not used with a mask
    cv2.grabCut(image[..., ::-1].copy(), labels, anywhere, *models, GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)


def _smooth(inside: np.ndarray) -> np.ndarray:
    """The largest piece of `inside`, holes filled and jags rounded off."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inside)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    piece = (labels == largest).astype(np.uint8)
    outer, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(inside)
    cv2.drawContours(filled, outer, -1, 1, cv2.FILLED)
    rounded = cv2.GaussianBlur(filled.astype(np.float32), (0, 0), 3, borderType=cv2.BORDER_REPLICATE)
    return (rounded > 0.5).astype(np.uint8)


def _feather(inside: np.ndarray) -> np.ndarray:
    """float32 alpha (H, W): a ramp of about 3 pixels, drawn inwards so that no rim of the old scene shows."""
    shrunk = cv2.erode(inside, np.ones((3, 3), np.uint8))
    return cv2.GaussianBlur(shrunk.astype(np.float32), (0, 0), 1.2, borderType=cv2.BORDER_REPLICATE)
