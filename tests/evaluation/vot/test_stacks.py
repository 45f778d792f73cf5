"""Stacks as the toolkit reads them."""

from __future__ import annotations

import pytest

from limpet.core.errors import DataError
from limpet.evaluation.vot.stacks import STACKS, find_stack


def test_short_term_has_three_experiments() -> None:
    experiments = find_stack("short-term").as_config((5, 30))["experiments"]
    assert list(experiments) == ["baseline", "realtime", "unsupervised"]
    assert experiments["realtime"]["realtime"] == {"grace": 3} and "realtime" not in experiments["baseline"]
    score, curve, ar = experiments["baseline"]["analyses"]
    assert (score["low"], score["high"], curve["high"]) == (5, 30, 30) and ar[
        "type"
    ] == "multistart_average_ar"


def test_several_objects_at_once() -> None:
    experiments = find_stack("vots").as_config()["experiments"]
    assert list(experiments) == ["baseline", "realtime"]
    assert (
        experiments["baseline"]["multiobject"] is True and experiments["baseline"]["type"] == "unsupervised"
    )


def test_official_stacks_have_names_of_the_toolkit() -> None:
    assert all(stack.official in ("", name) for name, stack in STACKS.items())
    assert {name for name, stack in STACKS.items() if not stack.official} == {"short-term", "vots"}


def test_an_unknown_stack() -> None:
    with pytest.raises(
        DataError, match="there is no VOT stack 'vot2013' here; the choices are: short-term, vots, vot2020"
    ):
        find_stack("vot2013")
