"""The mean of several weights, of files and of runs, and what has none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from limpet.core.errors import DataError, WeightsError
from limpet.training.model_soup import average_weights
from limpet.weights.weights_file import Weights, write_weights


def saved(path: Path, value: float, model: str = "deaot-t", **others: Tensor) -> Path:
    tensors = {"a.weight": torch.full((2, 3), value), "a.steps": torch.tensor(7), **others}
    write_weights(path, Weights(model, tensors, {"command": f"limpet train --seed {value:g}"}))
    return path


def test_the_mean_of_three(tmp_path: Path) -> None:
    places = [saved(tmp_path / f"{value}.safetensors", value) for value in (1.0, 2.0, 6.0)]
    mean = average_weights(places)
    assert mean.model == "deaot-t"
    assert mean.facts["parts"].splitlines() == [f"limpet train --seed {seed}" for seed in (1, 2, 6)]
    assert torch.equal(mean.tensors["a.weight"], torch.full((2, 3), 3.0))
    assert int(mean.tensors["a.steps"]) == 7, "whole numbers are the first's"


def test_many_small_shares_are_not_rounded_away(tmp_path: Path) -> None:
    """Sums in fp16 would lose the ones beside 2048."""
    places = [saved(tmp_path / f"{i}.safetensors", value) for i, value in enumerate([2048.0] + [1.0] * 7)]
    assert average_weights(places).tensors["a.weight"][0, 0].item() == pytest.approx(2055 / 8)


@pytest.mark.parametrize(
    ("model", "others", "message"),
    [
        ("aot-t", {}, "holds weights of 'aot-t'.*of 'deaot-t'; only weights of one model have a mean"),
        ("deaot-t", {"b": torch.zeros(1)}, r"does not fit .*1 unexpected \(b\)"),
    ],
)
def test_what_has_no_mean(tmp_path: Path, model: str, others: dict[str, Tensor], message: str) -> None:
    one, two = (
        saved(tmp_path / "1.safetensors", 1.0),
        saved(tmp_path / "2.safetensors", 2.0, model, **others),
    )
    with pytest.raises(WeightsError, match=message):
        average_weights([one, two])


def test_nothing_and_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="nothing to average; name weights files or folders of runs"):
        average_weights([])
    with pytest.raises(DataError, match="there is no checkpoint at"):
        average_weights([tmp_path])
