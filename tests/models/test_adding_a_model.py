"""The page on adding a model is true: the model that it builds passes what every model must."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from model_tester import ModelTester

from limpet import models, registry
from limpet.registry import find

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding_a_model.md"
NAME = "limpet.models.matching"


def blocks() -> list[str]:
    """The Python code of the page, one text a block."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


@pytest.fixture(scope="module", autouse=True)
def _added() -> Iterator[None]:
    """The page's file and row, for the tests of this module alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
        module = ModuleType(NAME)
        patch.setitem(sys.modules, NAME, module)
        exec(compile(blocks()[0], str(PAGE), "exec"), module.__dict__)
        patch.setitem(models.FAMILIES, module.MatchingConfig, module.Matching)
        TestMatching.config = module.MatchingConfig(channels=32)
        yield


class TestMatching(ModelTester):
    presets = ("matching",)

    def test_the_tester_is_given_what_the_page_says(self) -> None:
        assert "config = MatchingConfig(channels=32)" in blocks()[2]
        assert 'presets = ("matching",)' in blocks()[2]
        assert "    MatchingConfig: Matching,\n" in blocks()[1]
        assert find("matching").config().channels == 256


def test_a_configuration_that_is_in_no_row_is_named() -> None:
    with pytest.raises(
        TypeError, match=r"no network is known for a str; the configurations are: DeAOTConfig, AOTConfig"
    ):
        models.build_model("deaot-t")  # type: ignore[arg-type]
