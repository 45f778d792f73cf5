"""PQ and HLG become ordinary pictures: dark stays dark, a lit face is as bright as in ordinary video."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.video.hdr import HLG, PQ, map_to_sdr


def grey(signal: float, transfer: int) -> int:
    pixels = np.full((2, 2, 3), round(signal * 65_535), np.uint16)
    shown = map_to_sdr(pixels, transfer)
    assert shown.dtype == np.uint8 and int(np.ptp(shown)) <= 1, "grey stays grey"
    return int(shown[0, 0, 0])


@pytest.mark.parametrize(("transfer", "white"), [(PQ, 0.58), (HLG, 0.75)])
def test_greys_keep_their_order_and_white_is_bright(transfer: int, white: float) -> None:
    """Graphics white is at 58 % in PQ and 75 % in HLG (ITU-R BT.2408)."""
    shown = [grey(signal, transfer) for signal in np.linspace(0, 1, 21)]
    assert shown == sorted(shown) and shown[0] == 0 and shown[-1] >= 250
    assert 200 < grey(white, transfer) < 245
    assert len(set(shown)) >= 13


def test_ten_bits_of_a_ramp_stay_apart() -> None:
    ramp = np.repeat((np.arange(300, 600, dtype=np.uint16) << 6)[None, :, None], 3, axis=2)
    shown = map_to_sdr(ramp, PQ)[0, :, 0].astype(int)
    assert (np.diff(shown) >= 0).all() and len(np.unique(shown)) > 130


def test_colours_of_the_wide_gamut_stay_within_range() -> None:
    colours = np.random.default_rng(0).integers(0, 65_536, (9, 9, 3), dtype=np.uint16)
    shown = map_to_sdr(colours, HLG)
    assert shown.shape == (9, 9, 3) and shown.dtype == np.uint8
    red = np.zeros((1, 1, 3), np.uint16)
    red[..., 0] = 40_000
    assert map_to_sdr(red, PQ)[0, 0].argmax() == 0
