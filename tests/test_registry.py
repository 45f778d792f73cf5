"""The table of models."""

from __future__ import annotations

import pytest

from limpet import registry
from limpet.core.errors import LimpetError, ModelError
from limpet.registry import entries, find, register

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
    with pytest.raises(ValueError, match="model 'a-test' is registered twice"):
        register("a-test", summary="again")(preset)
