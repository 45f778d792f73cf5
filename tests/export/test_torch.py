"""torch's own file of a graph: what every format must bear, and compiled graphs that name what they need."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from limpet.core.errors import ModelError
from limpet.export.program import Programs
from limpet.export.torch import write
from limpet.export.writer import ExportOptions

from .exporter_tester import ExporterTester


class TestTorch(ExporterTester):
    backend = "torch"


def test_compiled_graphs_need_a_compiler(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ModelError, match=r"need the compiler g\+\+, which is not installed"):
        write(programs, tmp_path, ExportOptions(compiled=True))
    assert list(tmp_path.iterdir()) == []
