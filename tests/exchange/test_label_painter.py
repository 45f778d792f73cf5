"""Single masks become a label map: the later one is in front, and overlaps are counted."""

from __future__ import annotations

import numpy as np

from limpet.exchange.coco_rle import mask_counts
from limpet.exchange.label_painter import LabelPainter


def test_the_later_one_is_in_front() -> None:
    painter = LabelPainter((4, 6), 300)
    one = np.zeros((4, 6), bool)
    one[:2, :3] = True
    painter.paint_counts(300, mask_counts(one))
    painter.paint_mask(2, np.ones((2, 2), bool), left=2, top=1)
    labels = painter.finish()
    assert labels.dtype == np.uint16
    assert labels.tolist() == [[300, 300, 300, 0, 0, 0], [300, 300, 2, 2, 0, 0], [0, 0, 2, 2, 0, 0], [0] * 6]
    assert not painter.finish().any(), "the next frame begins empty"
    assert "overlap in 1 frame," in painter.notice()[0]


def test_what_lies_outside_is_left_out() -> None:
    painter = LabelPainter((3, 3), 5)
    painter.paint_mask(5, np.ones((9, 2), bool), left=-1, top=-4)
    painter.paint_mask(4, np.ones((1, 1), bool), left=7)
    labels = painter.finish()
    assert labels.dtype == np.uint8 and labels.tolist() == [[5, 0, 0]] * 3
    assert painter.notice() == ()
