"""What AOT and DeAOT share: the order of their tensors, and how they begin."""

from __future__ import annotations

from itertools import groupby

import pytest
import torch
from networks import NARROW
from test_aot import NARROW as NARROW_TRANSFORMER
from tiny_encoder import TINY

from limpet.models import AOTConfig, DeAOTConfig, ModelConfig, build_model


@pytest.mark.parametrize(
    ("config", "norm"),
    [
        (AOTConfig(encoder=TINY, transformer=NARROW_TRANSFORMER), "output_norms"),
        (DeAOTConfig(encoder=TINY, propagation=NARROW), "output_norm"),
    ],
)
def test_parts_are_in_the_order_of_checkpoints(config: ModelConfig, norm: str) -> None:
    """An optimiser's state is stored by the order of the parameters."""
    model = build_model(config)
    parts = [part for part, _ in groupby(model.state_dict(), lambda name: name.split(".")[0])]
    assert parts == ["encoder", "encoder_projector", "id_bank", "layers", norm, "decoder"]


def test_the_offsets_of_windows_begin_with_no_value_of_their_own() -> None:
    model = build_model(AOTConfig(encoder=TINY, transformer=NARROW_TRANSFORMER))
    values = [p for name, p in model.layers.named_parameters() if name.endswith("relative.value")]  # type: ignore[operator]
    assert values and all(not value.any() for value in values)
    assert not model.encoder_projector.bias.any()  # type: ignore[operator]


@torch.no_grad()
def test_slots_beyond_the_planes_are_empty() -> None:
    model = build_model(DeAOTConfig(encoder=TINY, propagation=NARROW))
    planes = torch.rand(2, 3, 33, 33)
    padded = torch.cat([planes, torch.zeros(2, 8, 33, 33)], dim=1)
    torch.testing.assert_close(model.identify(planes), model.identify(padded))
