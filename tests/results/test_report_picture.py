"""The picture: losses and doubts are visible, and objects that are left out are counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from limpet.results.report_builder import ReportBuilder
from limpet.results.report_picture import draw_picture

from .reports import SIZE, mask_of


def test_a_picture_shows_losses_and_doubts() -> None:
    colours = []
    for value in (0.9, 0.5, 0.1):
        report = ReportBuilder(size=SIZE)
        for index in range(20):
            report.add(index, index / 10, mask_of((1, 50)), {1: value if 5 <= index < 15 else 0.9})
        picture = draw_picture(report.build(), [])
        bar = picture.crop((600, picture.height - 130, 800, picture.height - 90))
        colours.append(tuple(int(value) for value in np.asarray(bar).reshape(-1, 3).mean(axis=0)))
    steady, unsure, lost = colours
    assert min(unsure[0], lost[0]) > steady[0] + 30, "both stand out"
    assert lost[1] < unsure[1] - 10, "red and amber"


def test_many_objects_in_the_picture_are_counted() -> None:
    report = ReportBuilder(size=SIZE)
    report.add(0, 0, mask_of(*((number, 3) for number in range(1, 41))), {})
    data = report.build()
    twenty = replace(data, objects=data.objects[:20])
    assert draw_picture(data, []).height == draw_picture(twenty, []).height
    assert draw_picture(data, []).tobytes() != draw_picture(twenty, []).tobytes(), (
        "the others must be counted"
    )


def test_a_picture_of_no_frames() -> None:
    assert draw_picture(ReportBuilder(size=SIZE, object_ids=(1,)).build(), []).width == 1280
