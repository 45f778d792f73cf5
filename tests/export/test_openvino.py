"""OpenVINO: what every format must bear, and weights at half the size where less than fp32 is asked for."""

from __future__ import annotations

from pathlib import Path

from limpet.export.openvino import write
from limpet.export.program import Programs
from limpet.export.writer import ExportOptions

from .exporter_tester import ExporterTester


class TestOpenVino(ExporterTester):
    backend = "openvino"


def test_half_precision_halves_the_weights(programs: Programs, tmp_path: Path) -> None:
    sizes = {}
    for precision in ("fp32", "fp16"):
        (tmp_path / precision).mkdir()
        write(programs, tmp_path / precision, ExportOptions(precision))
        sizes[precision] = (tmp_path / precision / "step.bin").stat().st_size
    assert 0.45 < sizes["fp16"] / sizes["fp32"] < 0.6
