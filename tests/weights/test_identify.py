"""Which model a file is of, told by names and shapes alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from limpet.core.errors import WeightsError
from limpet.registry import entries, find
from limpet.weights.convert import which_model
from limpet.weights.identify import ModelMatch, Shapes, all_shapes, describe_matches, match_models

DEAOT_L = ("deaot-b", "deaot-l")
SAME = "deaot-b or deaot-l (same tensors; they differ in memory only)"


@pytest.fixture(scope="module")
def table() -> dict[str, Shapes]:
    return all_shapes()


def tensors_of(shapes: Shapes, without: str = "nothing") -> dict[str, Tensor]:
    return {name: torch.empty(shape, device="meta") for name, shape in shapes if not name.endswith(without)}


def test_every_model_is_told_from_all_others(table: dict[str, Shapes]) -> None:
    assert list(table) == [entry.name for entry in entries()]
    for model, shapes in table.items():
        best, second, *_ = match_models(tensors_of(shapes), table)
        assert model in best.models and best.share == 1 > second.share
        settings = {
            replace(find(name).config(), long_term_gap=None, long_term_frames=None) for name in best.models
        }
        assert len(settings) == 1, f"{best.models} differ in more than memory and yet have the same tensors"
    assert match_models(tensors_of(table["deaot-l"]), table)[0].models == DEAOT_L


def test_words(table: dict[str, Shapes]) -> None:
    assert describe_matches(match_models(tensors_of(table["deaot-l"]), table)) == f"it is {SAME}"
    part = tensors_of(table["deaot-l"], without="id_bank.patches.weight")
    assert describe_matches(match_models(part, table)) == f"it looks like {SAME}: 99 % of the tensors agree"
    assert (
        describe_matches(match_models({"a": torch.ones(1)}, table)) == "it looks like none of limpet's models"
    )


def test_index_tables_may_be_absent(table: dict[str, Shapes]) -> None:
    part = tensors_of(table["swin-b-deaot-l"])
    assert not any(name.endswith("relative_position_index") for name in part)
    with_tables = part | {"encoder.layers.0.blocks.0.attn.relative_position_index": torch.ones(2)}
    assert match_models(part, table) == match_models(with_tables, table)
    assert match_models(part, table)[0] == ModelMatch(("swin-b-deaot-l",), 1.0)


@pytest.mark.parametrize(("file", "model"), [("DeAOTL_PRE_YTB_DAV.pth", 1), ("deaotb.pth", 0)])
def test_siblings_are_told_apart_by_the_official_name(file: str, model: int) -> None:
    assert which_model(Path(file), [ModelMatch(DEAOT_L, 1.0)]) == DEAOT_L[model]
    assert which_model(Path(file), [ModelMatch(("aot-t",), 1.0)]) == "aot-t", "tensors come before names"


@pytest.mark.parametrize("file", ["x.pth", "DeAOTLarge.pth"])
def test_siblings_that_nothing_tells_apart(file: str) -> None:
    with pytest.raises(WeightsError, match=r"it is deaot-b or .*; say which with --model deaot-b or deaot-l"):
        which_model(Path(file), [ModelMatch(DEAOT_L, 1.0)])


def test_tensors_of_no_model() -> None:
    with pytest.raises(
        WeightsError, match=r"x: it looks like aot-t: 90 % .*; name the model with --model NAME"
    ):
        which_model(Path("x"), [ModelMatch(("aot-t",), 0.9)])
