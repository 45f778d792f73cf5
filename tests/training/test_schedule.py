"""What changes along a stage: rates, weights of the losses, and which parameters decay."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from limpet.errors import DataError
from limpet.models import DeAOT, build_model
from limpet.models.frozen_norm import freeze
from limpet.registry import find
from limpet.training.config import TrainConfig
from limpet.training.schedule import (
    averaging_decay,
    build_optimizer,
    learning_rate,
    rollout_config,
    set_learning_rate,
)

CONFIG = TrainConfig(steps=1000, learning_rate=1e-3, smallest_rate=1e-5, warm_up=0.1)


def test_the_rate_rises_linearly_to_its_peak() -> None:
    rates = [learning_rate(CONFIG, step) for step in range(100)]
    span = 1e-3 - 1e-5
    assert rates == pytest.approx([1e-5 + span * (step + 1) / 100 for step in range(100)])
    assert rates[99] == pytest.approx(1e-3), "the warm-up ends at the peak"


def test_the_rate_falls_by_a_power_to_the_smallest() -> None:
    rates = [learning_rate(CONFIG, step) for step in range(99, 1001)]
    assert all(later < earlier for earlier, later in pairwise(rates[1:]))
    assert learning_rate(CONFIG, 100) == pytest.approx(1e-3)
    assert learning_rate(CONFIG, 550) == pytest.approx(1e-5 + (1e-3 - 1e-5) * 0.5**0.9)
    assert learning_rate(CONFIG, 1000) == learning_rate(CONFIG, 1200) == pytest.approx(1e-5)


@pytest.mark.parametrize("warm_up", [0.0, 1.0])
def test_rates_stay_in_range_for_any_warm_up(warm_up: float) -> None:
    for steps in (1, 2, 7):
        config = TrainConfig(steps=steps, warm_up=warm_up)
        rates = [learning_rate(config, step) for step in range(steps)]
        assert all(config.smallest_rate < rate <= config.learning_rate for rate in rates)
        assert max(rates) == pytest.approx(config.learning_rate), "the peak is reached"


def test_the_encoder_has_its_share_of_the_rate_above_the_smallest() -> None:
    model = DeAOT(find("deaot-t").config())
    optimizer = build_optimizer(model, CONFIG)
    assert set_learning_rate(optimizer, CONFIG, 550) == pytest.approx(learning_rate(CONFIG, 550))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    span = learning_rate(CONFIG, 550) - 1e-5
    for group in optimizer.param_groups:
        inside = {names[id(p)].startswith("encoder.") for p in group["params"]}
        assert len(inside) == 1
        assert group["lr"] == pytest.approx(1e-5 + span * (0.1 if inside == {True} else 1.0))


def test_biases_norms_and_output_layers_do_not_decay() -> None:
    model = DeAOT(find("deaot-t").config())
    freeze(model.encoder, 2)  # type: ignore[arg-type]
    decay = {
        id(parameter): group["weight_decay"]
        for group in build_optimizer(model, CONFIG).param_groups
        for parameter in group["params"]
    }
    named = {name: decay.pop(id(p)) for name, p in model.named_parameters() if p.requires_grad}
    assert not decay, "frozen parameters are not optimised"
    without = {name for name, value in named.items() if value == 0}
    assert all(value in (0, CONFIG.weight_decay) for value in named.values())
    for name in named:
        plain = name.endswith("bias") or "norm" in name.rsplit(".", 2)[-2]
        assert (name in without) == (plain or name.startswith("decoder.conv_out.")), name
    assert "layers.0.gate.weight" not in without and "id_bank.patches.weight" not in without
    assert {"id_bank.norm.weight", "output_norm.weight", "decoder.conv_out.weight"} <= without


def without_decay(name: str) -> set[str]:
    """The matrices of a model that do not decay."""
    with torch.device("meta"):
        model = build_model(find(name).config())
    groups = build_optimizer(model, CONFIG).param_groups
    plain = {id(p) for group in groups for p in group["params"] if group["weight_decay"] == 0}
    return {name for name, p in model.named_parameters() if id(p) in plain and p.dim() > 1}


def test_matrices_without_decay_are_the_official_ones() -> None:
    assert without_decay("deaot-t") == {"decoder.conv_out.weight"}
    assert without_decay("aot-t") == {"decoder.conv_out.weight", "layers.0.short_term.relative.value"}
    tables = without_decay("swin-b-deaot-l") - {"decoder.conv_out.weight"}
    assert len(tables) == 22 and all(name.endswith(".relative_position_bias_table") for name in tables)


def test_a_stage_moves_from_given_to_own_masks_and_the_auxiliary_loss_fades() -> None:
    config = TrainConfig(steps=100, own_predictions_from=0.5, reference_until=0.8)
    first, middle, last = (rollout_config(config, step, None) for step in (0, 50, 99))
    assert (first.own_predictions, first.reference_weight, first.hard_share) == (False, 1.0, 1.0)
    assert rollout_config(config, 49, None).own_predictions is False
    assert middle.own_predictions is True
    assert middle.reference_weight == pytest.approx(1 - 0.5 / 0.8)
    assert middle.hard_share == pytest.approx(0.15)
    assert last.reference_weight == rollout_config(config, 80, None).reference_weight == 0.0


def test_settings_are_passed_on() -> None:
    assert rollout_config(TrainConfig(checkpointing=True), 0, 2)[-2:] == (2, True)
    assert rollout_config(TrainConfig(reference_until=0.0), 0, None).reference_weight == 0.0
    never = TrainConfig(steps=10, own_predictions_from=1.0)
    assert not any(rollout_config(never, step, None).own_predictions for step in range(10))


def test_the_average_forgets_its_start_and_then_grows_long() -> None:
    config = TrainConfig(steps=1000, averaging=0.1)
    assert averaging_decay(config, 0) == pytest.approx(0.1)
    assert averaging_decay(config, 10) == pytest.approx(11 / 20)
    assert averaging_decay(config, 999) == pytest.approx(0.99)
    assert averaging_decay(TrainConfig(steps=1, averaging=0.0), 500) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps is 0; train for at least one step"),
        ({"smallest_rate": 1e-3}, r"smallest 0\.001, peak 0\.0002; expected 0 < smallest <= peak"),
        ({"smallest_rate": 0.0}, "expected 0 < smallest <= peak"),
        ({"warm_up": 1.5}, r"warm_up is 1\.5, expected a share from 0 to 1"),
        ({"reference_until": -0.5}, r"reference_until is -0\.5, expected a share from 0 to 1"),
        ({"own_predictions_from": 2}, "own_predictions_from is 2, expected a share"),
        ({"averaging": -1}, "averaging is -1, expected a share"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        TrainConfig(**settings)  # type: ignore[arg-type]


def test_settings_survive_json() -> None:
    import json

    from limpet.data import ClipConfig

    config = TrainConfig(steps=7, clips=ClipConfig(size=65, max_gap=(1, 9), video_share=(0.25, 1.0)))
    assert TrainConfig.from_json(json.loads(json.dumps(config.as_json()))) == config
