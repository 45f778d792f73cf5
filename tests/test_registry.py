"""The table of models."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from limpet import registry
from limpet.core.errors import LimpetError, ModelError
from limpet.models import build_model
from limpet.registry import MODELS, entries, find, register

NAMES = ["deaot-t", "deaot-s", "deaot-b", "deaot-l", "r50-deaot-l", "swin-b-deaot-l"]


def test_all_models_are_listed_in_order_with_a_summary() -> None:
    listed = entries()
    assert [entry.name for entry in listed if entry.name in NAMES] == NAMES
    assert all(entry.summary for entry in listed)
    listed.clear()
    assert entries(), "what is returned is a copy"


def test_find_returns_the_preset() -> None:
    config = find("deaot-l").config()
    assert (config.layers, config.long_term_gap, config.encoder) == (3, 5, "mobilenet-v2")
    assert find("deaot-t").config().long_term_gap is None
    assert find("r50-deaot-l").config().encoder == "resnet-50"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("deaot_t", r"did you mean .*deaot-t"),
        ("r50-deaotl", "did you mean r50-deaot-l"),
        ("zzz", "the models are: deaot-t, deaot-s, deaot-b, deaot-l, r50-deaot-l, swin-b-deaot-l"),
    ],
)
def test_an_unknown_name_gets_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ModelError, match=rf"there is no model called '{name}'; {hint}") as caught:
        find(name)
    assert isinstance(caught.value, LimpetError)


def test_a_name_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))

    @register("a-test", summary="only here")
    def preset() -> str:
        return "made"

    assert preset() == "made", "the decorator hands the function back"
    assert find("a-test").config() == "made"
    with pytest.raises(ValueError, match="there is a model called 'a-test' already; register this"):
        register("a-test", summary="again")(preset)


def test_listing_models_imports_neither_torch_nor_a_model() -> None:
    code = (
        "import sys, limpet, limpet.registry as r\n"
        "assert 'deaot-t' in limpet.list_models() and r.find('aot-l').summary\n"
        "print([name for name in sys.modules if name == 'torch' or name.startswith('limpet.models')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("entry", MODELS, ids=lambda entry: entry.name)
def test_each_line_is_true(entry: registry.ModelEntry) -> None:
    assert entry.preset.__name__ == entry.name.replace("-", "_")
    with torch.device("meta"):
        model = build_model(entry.config())
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert entry.millions == round(millions, 1), "write this number into the line"
