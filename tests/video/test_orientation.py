"""Display matrices against numpy's own turning."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from limpet.video.orientation import from_display_matrix

IMAGE = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


def matrix(a: float, b: float, c: float, d: float) -> bytes:
    return struct.pack(
        "=9i", *(round(value * 65536) for value in (a, b)), 0, round(c * 65536), round(d * 65536), 0, 0, 0, 1
    )


@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_all_eight(quarter_turns: int, mirrored: bool) -> None:
    cosine, sine = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter_turns]  # clockwise, y pointing down
    mirror = -1 if mirrored else 1
    turned = from_display_matrix(matrix(mirror * cosine, mirror * sine, -sine, cosine)).apply(IMAGE)
    expected = np.rot90(IMAGE[:, ::-1] if mirrored else IMAGE, -quarter_turns)
    assert np.array_equal(turned, expected) and turned.flags.c_contiguous


def test_odd_angles_go_to_the_nearest_quarter() -> None:
    assert np.array_equal(from_display_matrix(matrix(0.98, 0.17, -0.17, 0.98)).apply(IMAGE), IMAGE)


def test_wrong_length() -> None:
    with pytest.raises(ValueError, match="36 bytes, got 5"):
        from_display_matrix(b"short")
