"""OpenVINO: what every format must bear, and weights at half the size where less than fp32 is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from onnx import ModelProto

from limpet.export.openvino import write
from limpet.export.program import Program, Programs
from limpet.export.writer import ExportOptions

from .exporter_tester import ExporterTester


@pytest.fixture(scope="module", autouse=True)
def _converted_once(programs: Programs, models: dict[str, ModelProto]) -> Iterator[None]:
    """OpenVINO reads what test_onnx.py looks at; to convert it again would take most of the time."""

    def convert(program: Program) -> ModelProto:
        assert program is programs.start or program is programs.step
        return models[program.name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("limpet.export.openvino.to_onnx", convert)
        yield


class TestOpenVino(ExporterTester):
    backend = "openvino"


def test_half_precision_halves_the_weights(programs: Programs, tmp_path: Path) -> None:
    sizes = {}
    for precision in ("fp32", "fp16"):
        (tmp_path / precision).mkdir()
        write(programs, tmp_path / precision, ExportOptions(precision))
        sizes[precision] = (tmp_path / precision / "step.bin").stat().st_size
    assert 0.45 < sizes["fp16"] / sizes["fp32"] < 0.6
