"""The page on adding an exporter is true: the format that it adds passes what every format must."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from limpet.runtime.backends import BACKENDS, Backend

from .exporter_tester import ExporterTester

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding_an_exporter.md"
NAME = "limpet.export.torchscript"


def blocks() -> list[str]:
    """The Python code of the page, one text per block."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


@pytest.fixture(scope="module", autouse=True)
def _added() -> Iterator[None]:
    """The page's file and line, for the tests of this module alone."""
    with pytest.MonkeyPatch.context() as patch:
        module = ModuleType(NAME)
        patch.setitem(sys.modules, NAME, module)
        exec(compile(blocks()[0], str(PAGE), "exec"), module.__dict__)
        for name, backend in eval(f"{{{blocks()[1]}}}", {"Backend": Backend}).items():
            patch.setitem(BACKENDS, name, backend)
        yield


class TestTorchScript(ExporterTester):
    backend = "torchscript"

    def test_the_tester_is_used_as_the_page_says(self) -> None:
        assert "class TestTorchScript(ExporterTester):" in blocks()[2]
        assert 'backend = "torchscript"' in blocks()[2]
        assert f"`{NAME.replace('.', '/')}.py`" in PAGE.read_text()
