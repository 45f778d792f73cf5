"""Platt scaling: from soft IoU to confidence."""

from __future__ import annotations

import math

import pytest

from limpet.core.calibration import Calibration
from limpet.core.errors import WeightsError


def test_the_identity_is_the_raw_number() -> None:
    raw = Calibration()
    assert [raw(x) for x in (0.2, 0.5, 0.9)] == pytest.approx([0.2, 0.5, 0.9])
    assert raw(0.0) == 0.0 and raw(1.0) == pytest.approx(1, abs=1e-3)


def test_a_calibration_keeps_the_order_and_no_mask_stays_zero() -> None:
    calibration = Calibration(slope=1.7, offset=-0.8)
    values = [calibration(step / 100) for step in range(101)]
    assert values == sorted(values) and values[0] == 0.0 and 0 < values[1] < values[99] <= 1
    assert calibration(0.8) == pytest.approx(1 / (1 + math.exp(-1.7 * math.log(4) + 0.8)))


def test_text_there_and_back() -> None:
    calibration = Calibration(slope=1.1 / 3, offset=-0.1)
    assert Calibration.from_text(calibration.to_text(), "a file") == calibration


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"slope": -1, "offset": 0}', '{"slope": 1, "offset": NaN}']
)
def test_foreign_text_is_refused(text: str) -> None:
    with pytest.raises(
        WeightsError, match=r"w\.safetensors holds a confidence calibration that cannot be read"
    ):
        Calibration.from_text(text, "w.safetensors")
