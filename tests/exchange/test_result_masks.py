"""Folders of results as sequences."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import MaskError
from limpet.exchange.formats import read_masks
from limpet.results.result_folder import ResultFolder
from limpet.video.video_reader import Frame

from .sequences import TIMES, assert_same, clip_of, hard_labels


@pytest.fixture
def result(tmp_path: Path) -> Path:
    with ResultFolder(
        tmp_path / "out",
        frame_rate=Fraction(25),
        object_ids=(1, 12),
        info={"source": "clip.mp4"},
        overlay=False,
    ) as results:
        for index, labels in hard_labels().items():
            results.add(Frame(index, np.zeros((*labels.shape, 3), np.uint8), TIMES[index]), labels, {})
    return tmp_path / "out"


def test_a_result(result: Path) -> None:
    masks = read_masks(result)
    assert_same(clip_of(hard_labels(), dict.fromkeys((1, 3, 7, 9, 12, 200), "")), masks)
    assert (masks.name, masks.title, masks.frame_rate, masks.frame_count) == ("clip.mp4", "clip", 25, 6)


def test_damage_is_told(result: Path) -> None:
    (result / "masks" / "00002.png").unlink()
    with pytest.raises(MaskError, match=r"00002\.png does not exist"):
        list(read_masks(result))
    report = result / "report.json"
    report.write_text(report.read_text().replace('"size": [24, 40]', '"size": [24]'))
    with pytest.raises(MaskError, match="is damaged"):
        read_masks(result)
    report.write_text('{"made_by": "another"}')
    with pytest.raises(MaskError, match="was not made by limpet"):
        read_masks(result)
