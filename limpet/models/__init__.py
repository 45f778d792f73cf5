"""The networks: pure functions over tensors that know nothing of videos, files or trackers.

Importing a family registers its presets; ``FAMILIES`` says which network a configuration is for.
"""

from limpet.models.base import Features, Model, ModelConfig, keep_slots

# isort: split  (models are listed in the order of these imports: the default's family comes first)
from limpet.models.deaot import DeAOT, DeAOTConfig

# isort: split
from limpet.models.aot import AOT, AOTConfig

FAMILIES: dict[type, type[Model]] = {
    DeAOTConfig: DeAOT,
    AOTConfig: AOT,
}


def build_model(config: ModelConfig) -> Model:
    """The network that ``config`` describes, with random weights.

    Raises:
        TypeError: a configuration of no family in the table.
    """
    if type(config) not in FAMILIES:
        known = ", ".join(family.__name__ for family in FAMILIES)
        raise TypeError(f"no network is known for a {type(config).__name__}; the configurations are: {known}")
    return FAMILIES[type(config)](config)


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
