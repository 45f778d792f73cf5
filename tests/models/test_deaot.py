"""DeAOT does what every model must do."""

from __future__ import annotations

from model_tester import ModelTester
from networks import NARROW

from limpet.models import DeAOTConfig


class TestDeAOT(ModelTester):
    config = DeAOTConfig(layers=2, propagation=NARROW)
    presets = ("deaot-t", "deaot-s", "deaot-b", "deaot-l", "r50-deaot-l", "swin-b-deaot-l")


class TestDeAOTWithLongTermMemory(ModelTester):
    config = DeAOTConfig(layers=1, long_term_gap=1, max_objects=3, propagation=NARROW)
    presets = ()
