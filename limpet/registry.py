"""The table of models, as text: a model's module is imported when its configuration is asked for, and not before.

A model of limpet's own is one line in ``MODELS``. A model that lives elsewhere is registered by its own program:

    @register("mine", summary="what it is")
    def mine() -> MyConfig: ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from limpet.core.errors import ModelError

PresetT = TypeVar("PresetT", bound=Callable[[], Any])


@dataclass(frozen=True)
class ModelEntry:
    """One line of the table.

    name: lower case, with hyphens.
    summary: what the model is, in a few words.
    factory: the function without arguments that returns the model's configuration, or "module:function" as text.
    millions: of parameters, to one decimal; None where nobody has counted them.
    """

    name: str
    summary: str
    factory: str | Callable[[], Any]
    millions: float | None = None

    @property
    def preset(self) -> Callable[[], Any]:
        """The factory itself; its module is imported if need be."""
        if callable(self.factory):
            return self.factory
        module, function = self.factory.split(":")
        found: Callable[[], Any] = getattr(import_module(module), function)
        return found

    def config(self) -> Any:
        """The configuration that the factory makes, a ``limpet.models.ModelConfig``."""
        return self.preset()


MODELS = (
    ModelEntry(
        "deaot-t", "tiny: MobileNetV2, 1 layer, first frame as memory", "limpet.models.deaot:deaot_t", 7.2
    ),
    ModelEntry(
        "deaot-s", "small: MobileNetV2, 2 layers, first frame as memory", "limpet.models.deaot:deaot_s", 10.2
    ),
    ModelEntry(
        "deaot-b", "base: MobileNetV2, 3 layers, first frame as memory", "limpet.models.deaot:deaot_b", 13.2
    ),
    ModelEntry(
        "deaot-l", "large: MobileNetV2, 3 layers, memory every 5 frames", "limpet.models.deaot:deaot_l", 13.2
    ),
    ModelEntry(
        "r50-deaot-l",
        "large: ResNet-50, 3 layers, memory every 5 frames",
        "limpet.models.deaot:r50_deaot_l",
        19.8,
    ),
    ModelEntry(
        "swin-b-deaot-l",
        "large: Swin-B, 3 layers, memory every 5 frames",
        "limpet.models.deaot:swin_b_deaot_l",
        70.3,
    ),
    ModelEntry(
        "deaot-t-deformable",
        "tiny, deformable long-term and self propagation",
        "limpet.models.deaot:deaot_t_deformable",
        7.4,
    ),
    ModelEntry(
        "deaot-nano",
        "for phones: half the channels, deformable; made for images of 320 to 384 pixels",
        "limpet.models.deaot:deaot_nano",
        3.8,
    ),
    ModelEntry(
        "deaot-s-deformable",
        "small, deformable long-term and self propagation",
        "limpet.models.deaot:deaot_s_deformable",
        10.6,
    ),
    ModelEntry(
        "deaot-b-deformable",
        "base, deformable long-term and self propagation",
        "limpet.models.deaot:deaot_b_deformable",
        13.8,
    ),
    ModelEntry(
        "deaot-l-deformable",
        "large, deformable long-term and self propagation",
        "limpet.models.deaot:deaot_l_deformable",
        13.8,
    ),
    ModelEntry("aot-t", "tiny: MobileNetV2, 1 layer, first frame as memory", "limpet.models.aot:aot_t", 5.7),
    ModelEntry(
        "aot-s", "small: MobileNetV2, 2 layers, first frame as memory", "limpet.models.aot:aot_s", 7.0
    ),
    ModelEntry("aot-b", "base: MobileNetV2, 3 layers, first frame as memory", "limpet.models.aot:aot_b", 8.3),
    ModelEntry(
        "aot-l", "large: MobileNetV2, 3 layers, memory every 5 frames", "limpet.models.aot:aot_l", 8.3
    ),
    ModelEntry(
        "r50-aot-l", "large: ResNet-50, 3 layers, memory every 5 frames", "limpet.models.aot:r50_aot_l", 14.9
    ),
    ModelEntry(
        "swin-b-aot-l",
        "large: Swin-B, 3 layers, memory every 5 frames",
        "limpet.models.aot:swin_b_aot_l",
        65.4,
    ),
    ModelEntry(
        "stcn", "objects by themselves: ResNet-50, memory every 5 frames", "limpet.models.stcn:stcn", 54.4
    ),
    ModelEntry(
        "mobilevos-resnet-18",
        "objects by themselves: ResNet-18, first and previous frame",
        "limpet.models.stcn:mobilevos_resnet_18",
        8.1,
    ),
    ModelEntry(
        "mobilevos-mobilenet-v2",
        "objects by themselves: MobileNetV2, first and previous frame",
        "limpet.models.stcn:mobilevos_mobilenet_v2",
        2.5,
    ),
    ModelEntry(
        "mobilevos-mobilenet-v2-small",
        "for phones: as mobilevos-mobilenet-v2, without ASPP",
        "limpet.models.stcn:mobilevos_mobilenet_v2_small",
        1.9,
    ),
    ModelEntry(
        "devos-t", "follows motion: MobileNetV2, 1 block on 2 grids", "limpet.models.devos:devos_t", 8.1
    ),
    ModelEntry(
        "devos-b", "follows motion: ResNet-50, 2 blocks on 2 grids", "limpet.models.devos:devos_b", 17.7
    ),
    ModelEntry("devos-l", "follows motion: Swin-B, 3 blocks on 2 grids", "limpet.models.devos:devos_l", 71.0),
)
"""The models of limpet in the order in which they are listed."""

_ENTRIES: dict[str, ModelEntry] = {entry.name: entry for entry in MODELS}


def register(name: str, *, summary: str) -> Callable[[PresetT], PresetT]:
    """Put the decorated preset under ``name``, after all others.

    Raises:
        ValueError: the name is taken.
    """

    def decorate(preset: PresetT) -> PresetT:
        if name in _ENTRIES:
            raise ValueError(
                f"there is a model called {name!r} already; register this one under another name"
            )
        _ENTRIES[name] = ModelEntry(name, summary, preset)
        return preset

    return decorate


def entries() -> list[ModelEntry]:
    """All models in the order of the table. No model's module is imported."""
    return list(_ENTRIES.values())


def find(name: str) -> ModelEntry:
    """The entry called ``name``. Raises ModelError with the nearest names when there is none."""
    import difflib

    if name in _ENTRIES:
        return _ENTRIES[name]
    near = difflib.get_close_matches(name, _ENTRIES, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"the models are: {', '.join(_ENTRIES)}"
    raise ModelError(f"there is no model called {name!r}; {hint}")
