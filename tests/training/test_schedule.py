"""What changes along a stage: rates, weights of the losses, and which parameters decay."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from limpet.models import DeAOT, build_model
from limpet.models.frozen_norm import freeze
from limpet.registry import find
from limpet.training.config import TrainConfig
from limpet.training.schedule import (
    build_optimizer,
    ema_decay,
    id_permutation,
    id_shuffle_count,
    learning_rate,
    rollout_config,
    set_learning_rate,
)

CONFIG = TrainConfig(steps=1000, learning_rate=1e-3, min_learning_rate=1e-5, warmup_ratio=0.1)


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


@pytest.mark.parametrize("warmup_ratio", [0.0, 1.0])
def test_rates_stay_in_range_for_any_warm_up(warmup_ratio: float) -> None:
    for steps in (1, 2, 7):
        config = TrainConfig(steps=steps, warmup_ratio=warmup_ratio)
        rates = [learning_rate(config, step) for step in range(steps)]
        assert all(config.min_learning_rate < rate <= config.learning_rate for rate in rates)
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
    config = TrainConfig(steps=100, teacher_forcing_until=0.5, aux_loss_until=0.8)
    first, middle, last = (rollout_config(config, step, None) for step in (0, 50, 99))
    assert (first.own_predictions, first.reference_weight, first.top_k_fraction) == (False, 1.0, 1.0)
    assert rollout_config(config, 49, None).own_predictions is False
    assert middle.own_predictions is True
    assert middle.reference_weight == pytest.approx(1 - 0.5 / 0.8)
    assert middle.top_k_fraction == pytest.approx(0.15)
    assert last.reference_weight == rollout_config(config, 80, None).reference_weight == 0.0


def test_the_hardest_pixels_are_those_of_stcn_where_that_is_asked_for() -> None:
    config = TrainConfig(steps=150, top_k_start=20 / 150, top_k_full=70 / 150)
    shares = [rollout_config(config, step, None).top_k_fraction for step in (0, 20, 45, 70, 149)]
    assert shares == pytest.approx([1.0, 1.0, 0.575, 0.15, 0.15])
    assert rollout_config(TrainConfig(top_k_fraction=0.3, top_k_full=0.0), 0, None).top_k_fraction == 0.3


def test_settings_are_passed_on() -> None:
    passed_on = rollout_config(TrainConfig(gradient_checkpointing=True), 0, 2)
    assert (passed_on.long_term_gap, passed_on.gradient_checkpointing) == (2, True)
    assert rollout_config(TrainConfig(aux_loss_until=0.0), 0, None).reference_weight == 0.0
    never = TrainConfig(steps=10, teacher_forcing_until=1.0)
    assert not any(rollout_config(never, step, None).own_predictions for step in range(10))


def test_the_average_forgets_its_start_and_then_grows_long() -> None:
    config = TrainConfig(steps=1000, ema_horizon=0.1)
    assert ema_decay(config, 0) == pytest.approx(0.1)
    assert ema_decay(config, 10) == pytest.approx(11 / 20)
    assert ema_decay(config, 999) == pytest.approx(0.99)
    assert ema_decay(TrainConfig(steps=1, ema_horizon=0.0), 500) == pytest.approx(0.5)


def test_a_full_shuffle_keeps_the_background_and_reaches_every_slot() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([id_permutation(10, 10, generator) for _ in range(300)])
    assert drawn.dtype == torch.int64 and drawn.shape == (300, 11)
    assert (drawn[:, 0] == 0).all()
    assert (drawn.sort(dim=1).values == torch.arange(11)).all(), "every slot once"
    assert all(len(drawn[:, k].unique()) == 10 for k in range(1, 11)), "every id can reach every slot"
    again = id_permutation(10, 10, torch.Generator().manual_seed(0))
    assert torch.equal(again, drawn[0])


def test_a_narrow_shuffle_leaves_the_other_slots_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([id_permutation(10, 4, generator) for _ in range(100)])
    assert torch.equal(drawn[:, 5:], torch.arange(5, 11).expand(100, -1))
    assert all(len(drawn[:, k].unique()) == 4 for k in range(1, 5))


def test_nothing_in_use_leaves_every_object_in_its_own_slot() -> None:
    assert torch.equal(id_permutation(10, 0), torch.arange(11))


@pytest.mark.parametrize(
    ("progress", "expected"), [(0.0, 0), (0.29, 0), (0.3, 3), (0.4, 5), (0.59, 10), (0.6, 10), (1.0, 10)]
)
def test_the_slots_in_use_widen_from_the_objects_to_all(progress: float, expected: int) -> None:
    assert id_shuffle_count(progress, start=0.3, full=0.6, objects=3, slots=10) == expected


def test_by_default_all_slots_are_in_use_from_the_first_step() -> None:
    assert id_shuffle_count(0.0, start=0.0, full=0.0, objects=2, slots=10) == 10
