"""`limpet track --flip --scales`: they reach the tracker, and mistakes are told in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

from limpet.cli.options import MODEL

from .clips import IDS, SIZE, masks_of
from .command import Limpet
from .conftest import FRAMES


def test_views_are_merged_into_one_result(
    limpet: Limpet, clip: Path, mask: Path, weights: Path, tmp_path: Path
) -> None:
    command = ("track", clip, "--mask", mask, "--weights", weights, "--no-overlay", "--precision", "fp32")
    limpet(*command, "--flip", "--scales", "1.0, 0.7", "--out", "both").succeeded()
    limpet(*command, "--out", "plain").succeeded()
    report = json.loads((tmp_path / "both/report.json").read_text())
    assert report["model"] == f"{MODEL} (flip, scales 1 0.7)"
    both, plain = masks_of(tmp_path / "both"), masks_of(tmp_path / "plain")
    assert len(both) == FRAMES and all(each.shape == SIZE for each in both)
    assert {int(i) for each in both for i in set(each.flat)} <= {0, *IDS}
    assert any((one != other).any() for one, other in zip(both, plain, strict=True)), "views change something"


def test_views_that_cannot_be(limpet: Limpet, clip: Path, mask: Path, weights: Path) -> None:
    command = ("track", clip, "--mask", mask, "--weights", weights, "--overwrite")
    limpet(*command, "--scales", "1,half").refused("--scales is '1,half'", "such as 1.0,1.3")
    limpet(*command, "--scales", "").refused("--scales is ''")
    limpet(*command, "--scales", "0").refused("scale is 0; expected a number above 0 and at most 4")
    limpet(*command, "--scales", "nan").refused("scale is nan; expected a number above 0")
    limpet(*command, "--scales", "1,1.0").refused("scale 1 is given twice")
    limpet(*command, "--scales", "1,0.01").refused("scale 0.01 leaves", "use a larger scale")
