"""The networks: pure functions over tensors that know nothing of videos, files or trackers."""

from limpet.models.deaot import DeAOT, DeAOTConfig, Features

__all__ = ["DeAOT", "DeAOTConfig", "Features"]
