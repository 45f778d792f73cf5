"""What cannot be measured is refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from limpet.bench.config import BenchConfig
from limpet.core.errors import ModelError


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"engine": "tensorrt"}, "no engine 'tensorrt'; use torch, "),
        ({"precision": "fp8"}, "precision is 'fp8'"),
        ({"threads": 0}, "--threads is 0; expected 1 or more"),
        ({"objects": 0}, "--objects is 0"),
        ({"objects": 256}, "at most 255"),
        ({"frames": 1}, "--frames is 1; expected 2 or more"),
        ({"warm_up": -1}, "--warm-up is -1"),
        ({"max_size": 8}, "--max-size is 8"),
        ({"overlay": True}, "--overlay needs --end-to-end"),
        ({"end_to_end": True, "size": (481, 854)}, "even sides"),
        ({"engine": "onnx"}, "name its folder with --bundle"),
        ({"engine": "torch-compiled", "bundle": Path("b")}, "not a bundle"),
    ],
)
def test_settings_that_cannot_be(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        BenchConfig(**given)


def test_bundles_are_run_on_the_processor() -> None:
    with pytest.raises(ModelError, match="leave out --device"):
        BenchConfig(engine="onnx", bundle=Path("b"), device="cuda")
