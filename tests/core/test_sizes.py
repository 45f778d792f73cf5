"""Which size the network's input has for a frame, and what is refused as a frame."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from limpet.core.errors import ModelError, VideoError
from limpet.core.sizes import SizeRule, check_frame, parse_size


def test_sizes_are_those_of_the_official_transform(shared: Path) -> None:
    cases = json.loads((shared / "golden" / "test_sizes.json").read_text())
    assert len(cases) > 50
    for case in cases:
        found = [
            SizeRule(case["max_short_edge"], case["max_long_edge"], case["align_corners"], scale)
            for scale in case["scales"]
        ]
        sizes = [list(rule.network_size(*case["in"])) for rule in found for _ in range(1 + case["flip"])]
        assert sizes == case["out"], case


@pytest.mark.parametrize(
    ("frame", "network"),
    [
        ((480, 854), (481, 849)),
        ((854, 480), (849, 481)),  # portrait
        ((2160, 3840), (481, 849)),  # 4K
        ((1, 1), (17, 17)),
        ((5, 2000), (17, 1041)),
    ],
)
def test_sizes_at_the_default_limits(frame: tuple[int, int], network: tuple[int, int]) -> None:
    assert SizeRule().network_size(*frame) == network


def test_sizes_without_limits() -> None:
    assert SizeRule(None, None).network_size(1080, 1920) == (1073, 1921)
    assert SizeRule(None, None, align_corners=False).network_size(1080, 1920) == (1088, 1920)


@pytest.mark.parametrize(
    ("frame", "came"),
    [
        (np.zeros((4, 5), np.uint8), r"uint8 \(4, 5\)"),
        (np.zeros((4, 5, 4), np.uint8), r"uint8 \(4, 5, 4\)"),
        (np.zeros((4, 5, 3), np.float32), r"float32 \(4, 5, 3\)"),
        (torch.zeros(4, 5, 3), "Tensor"),
    ],
)
def test_what_is_no_frame(frame: object, came: str) -> None:
    with pytest.raises(VideoError, match=f"a frame is {came}; expected a numpy array uint8"):
        check_frame(frame)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("frame", "enlarge", "network"),
    [
        ((288, 512), 1.67, (481, 849)),  # up to the limit and no further
        ((240, 432), 1.5, (353, 641)),
        ((240, 432), 1.0, (241, 433)),
        ((480, 854), 1.67, (481, 849)),
        ((300, 1000), 1.67, (305, 1041)),  # the longer side has its limit, too
    ],
)
def test_small_frames_are_enlarged(frame: tuple[int, int], enlarge: float, network: tuple[int, int]) -> None:
    assert SizeRule(enlarge=enlarge).network_size(*frame) == network


@pytest.mark.parametrize("enlarge", [0.5, 10.0])
def test_frames_cannot_be_enlarged_so(enlarge: float) -> None:
    with pytest.raises(ModelError, match=f"enlarge is {enlarge}; expected 1"):
        SizeRule(enlarge=enlarge)


def test_typed_sizes() -> None:
    assert parse_size("480x854") == (480, 854)
    for text in ("480", "480x", "x854", "480*854", "480x854x3", "0x0", "8x8", "-480x854", "480 x 854"):
        with pytest.raises(ModelError, match=r"expected HEIGHTxWIDTH .* such as 480x854, or any"):
            parse_size(text, ", or any")
