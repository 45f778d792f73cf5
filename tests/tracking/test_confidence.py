"""Soft IoU against an obvious loop, and the calibration that makes a confidence of it."""

from __future__ import annotations

import math

import pytest
import torch

from limpet.errors import WeightsError
from limpet.tracking.calibration import Calibration
from limpet.tracking.confidence import soft_ious

IDS = [(8, 3), (90, 4)]


def slow_soft_ious(scores: list[torch.Tensor], ids: list[tuple[int, ...]]) -> dict[int, float]:
    """Pixel after pixel, as the text of the module says."""
    names = [0, *(i for group in ids for i in group)]
    intersection, union = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for y in range(scores[0].shape[2]):
        for x in range(scores[0].shape[3]):
            shares = [group[0, :, y, x].softmax(0).tolist() for group in scores]
            every = [math.prod(share[0] for share in shares), *(p for share in shares for p in share[1:])]
            for name, p in zip(names, every, strict=True):
                wins = p == max(every)
                intersection[name] += p if wins else 0
                union[name] += 1 if wins else p
    return {name: intersection[name] / union[name] for name in names[1:]}


@pytest.mark.parametrize("groups", [1, 2])
def test_soft_iou_against_a_loop(groups: int) -> None:
    scores = [torch.randn(1, 3, 6, 7) for _ in range(groups)]
    scores[-1][:, 2] = -50.0  # this one wins nowhere
    expected = slow_soft_ious(scores, IDS[:groups])
    assert soft_ious(scores, IDS[:groups]) == pytest.approx(expected, abs=1e-6)
    assert expected[IDS[groups - 1][1]] == pytest.approx(0, abs=1e-9)
    assert expected[8] > 0.05


def test_a_sharp_mask_has_one_and_a_blurred_one_less() -> None:
    sharp = torch.zeros(1, 2, 8, 8)
    sharp[0, 1] = -30.0
    sharp[0, 1, 2:6, 2:6] = 30.0
    blurred = sharp / 20
    assert soft_ious([sharp], [(5,)])[5] == pytest.approx(1.0)
    assert 0.3 < soft_ious([blurred], [(5,)])[5] < 0.8


def test_doubt_outside_of_the_mask_counts_too() -> None:
    """The mean probability inside would not see it."""
    scores = torch.zeros(1, 2, 8, 8)
    scores[0, 1] = -30.0
    scores[0, 1, 2:6, 2:6] = 30.0
    doubtful = scores.clone()
    doubtful[0, 1, 6:] = -0.1
    before, after = soft_ious([scores], [(5,)])[5], soft_ious([doubtful], [(5,)])[5]
    assert after < before - 0.2


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
