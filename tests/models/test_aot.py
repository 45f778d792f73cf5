"""AOT does what every model must do, and what is its own."""

from __future__ import annotations

from model_tester import ModelTester
from tiny_encoder import TINY

from limpet.models import AOTConfig
from limpet.models.transformer import TransformerConfig

NARROW = TransformerConfig(channels=32, heads=4, hidden_channels=64, window_radius=3)


class TestAOT(ModelTester):
    config = AOTConfig(encoder=TINY, layers=2, transformer=NARROW)
    presets = ("aot-t", "aot-s", "aot-b", "aot-l", "r50-aot-l", "swin-b-aot-l")


class TestAOTWithLongTermMemory(ModelTester):
    config = AOTConfig(encoder=TINY, layers=1, long_term_gap=1, max_objects=3, transformer=NARROW)
    presets = ()
