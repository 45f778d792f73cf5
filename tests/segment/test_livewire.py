"""The line along an edge."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from limpet.core.errors import MaskError
from limpet.segment import livewire
from limpet.segment.livewire import Livewire


def disk() -> np.ndarray:
    """A disk of radius 40 about (80, 60)."""
    image = np.full((120, 160, 3), 40, np.uint8)
    cv2.circle(image, (80, 60), 40, (220, 200, 90), -1)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1), np.uint8)


@pytest.mark.parametrize("working_size", [512, 80])
def test_the_line_follows_the_edge(working_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(livewire, "WORKING_SIZE", working_size)
    wire = Livewire()
    path = np.array(wire.path(wire.anchor(disk(), (40, 60), (0, 0, 159, 119)), (80, 20)))
    slack = 160 / working_size + 2
    assert np.abs(path[0] - (40, 60)).max() <= slack and np.abs(path[-1] - (80, 20)).max() <= slack
    assert np.abs(np.hypot(*(path - (80, 60)).T) - 40).max() <= 2 * slack, (
        "a straight line would come 12 pixels nearer"
    )
    assert len(path) * slack > 50


def test_a_crop_has_the_places_of_the_frame() -> None:
    wire = Livewire()
    path = np.array(wire.path(wire.anchor(disk(), (40, 60), (30, 15, 90, 70)), (80, 20)))
    assert path[0].tolist() == [40, 60] and path[-1].tolist() == [80, 20]
    assert np.abs(np.hypot(*(path - (80, 60)).T) - 40).max() <= 3


def test_beyond_the_box_the_nearest_point_is_taken() -> None:
    wire = Livewire()
    anchor = wire.anchor(disk(), (40, 60), (30, 15, 90, 70))
    assert wire.path(anchor, (500, -20))[-1] == (90, 15)
    assert wire.path(anchor, (40, 60)) in ([], [(40, 60)])


def test_old_anchors_are_forgotten_and_wrong_points_refused() -> None:
    wire = Livewire()
    numbers = [wire.anchor(disk(), (40, 60), (38, 58, 42, 62)) for _ in range(5)]
    assert wire.path(numbers[-1], (41, 61))
    with pytest.raises(MaskError, match="the anchor 1 is not known any more; set it again"):
        wire.path(numbers[0], (41, 61))
    with pytest.raises(MaskError, match="the point 160, 5 lies outside of the frame of 160x120 pixels"):
        wire.anchor(disk(), (160, 5), (0, 0, 10, 10))
