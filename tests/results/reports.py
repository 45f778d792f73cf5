"""Made-up reports for the tests of what they hold and how they are shown."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np

from limpet.results.report_builder import ReportBuilder

SIZE = (20, 40)


def mask_of(*objects: tuple[int, int]) -> np.ndarray:
    """A mask in which each (id, area) takes the next ``area`` pixels."""
    mask = np.zeros(SIZE[0] * SIZE[1], np.uint8)
    begin = 0
    for number, area in objects:
        mask[begin : begin + area] = number
        begin += area
    return mask.reshape(SIZE)


def example(**info: Any) -> ReportBuilder:
    """Object 7 is lost in frames 2 to 5; object 200 enters at frame 3; frame 7 has no picture."""
    report = ReportBuilder(size=SIZE, frame_rate=Fraction(10), object_ids=(7,), info=info)
    for index in range(10):
        area = 0 if 2 <= index <= 5 else 100 + index
        objects = [(7, area), *([(200, 40)] if index >= 3 else [])]
        report.add(
            index,
            index / 10,
            mask_of(*objects),
            {7: 0.9, 200: 0.25 if index > 6 else 0.75},
            decoded=index != 7,
        )
        report.strip.add(index, index / 10, np.full((*SIZE, 3), 20 * index, np.uint8))
    report.complete = True
    return report


def as_json(report: ReportBuilder) -> dict[str, Any]:
    """What report.json holds."""
    return json.loads(report.build().to_json())  # type: ignore[no-any-return]
