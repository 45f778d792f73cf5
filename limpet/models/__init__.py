"""The networks: pure functions over tensors that know nothing of videos, files or trackers.

``limpet.registry`` is the table of them; a configuration builds its network.
"""

from limpet.models.aot import AOT, AOTConfig
from limpet.models.base import Features, Model, ModelConfig, keep_slots
from limpet.models.deaot import DeAOT, DeAOTConfig


def build_model(config: ModelConfig) -> Model:
    """The network that ``config`` describes, with random weights.

    Raises:
        TypeError: not a configuration.
    """
    if not isinstance(config, ModelConfig):
        raise TypeError(
            f"a model is built from a ModelConfig, not from {config!r}; limpet.registry.find(name).config() makes one"
        )
    return config.build()


__all__ = [
    "AOT",
    "AOTConfig",
    "DeAOT",
    "DeAOTConfig",
    "Features",
    "Model",
    "ModelConfig",
    "build_model",
    "keep_slots",
]
