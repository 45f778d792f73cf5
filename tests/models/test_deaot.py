"""DeAOT does what every model must do."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
import torch
from model_tester import ModelTester
from networks import NARROW
from tiny_encoder import TINY

from limpet.core.errors import ModelError
from limpet.models import DeAOT, DeAOTConfig, build_model
from limpet.models.attention import attend
from limpet.models.deformable import DeformableConfig
from limpet.models.gated_propagation import GatedPropagationModule
from limpet.models.identity import one_hot


class TestDeAOT(ModelTester):
    config = DeAOTConfig(layers=2, propagation=NARROW)
    presets = ("deaot-t", "deaot-s", "deaot-b", "deaot-l", "r50-deaot-l", "swin-b-deaot-l")


class TestDeAOTWithLongTermMemory(ModelTester):
    config = DeAOTConfig(encoder=TINY, layers=1, long_term_gap=1, max_objects=3, propagation=NARROW)
    presets = ()

    @torch.no_grad()
    @pytest.mark.parametrize("deformable", [None, DeformableConfig()])
    def test_maps_are_those_that_attention_used(self, deformable: DeformableConfig | None) -> None:
        torch.manual_seed(0)
        config = replace(NARROW, deformable=deformable)
        model = build_model(DeAOTConfig(encoder=TINY, layers=2, propagation=config)).eval()
        assert isinstance(model, DeAOT)
        features = model.encode(self.images())
        planes = one_hot(self.masks(), 3)
        _, _, memory = model.refer(features, model.identify(planes))
        _, pending = model.propagate(features, memory, memory)
        module, seen = cast(GatedPropagationModule, model.layers[-1]), pending[-1]
        read = module.long_term.read(seen.key, memory[-1], features.size)
        weights = model.attention_map(pending, memory, features.size).weights
        torch.testing.assert_close(weights @ read.value, attend(seen.key * 16**-0.5, read.key, read.value))
        assert seen.own is not None
        query, key, source, _ = module.self_propagation._query_and_key(seen.own, features.size)
        weights = model.attention_map(pending, memory, features.size, kind="self").weights
        torch.testing.assert_close(weights @ source, attend(query * 16**-0.5, key, source))
        with pytest.raises(ModelError, match="it has long-term and self"):
            model.attention_map(pending, memory, features.size, kind="short-term")  # type: ignore[arg-type]
