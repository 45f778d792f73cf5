"""How a video of a batch is tracked: the settings of ``limpet track``, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from limpet.core.errors import DataError


@dataclass(frozen=True)
class JobSettings:
    """How a video is tracked: the options of ``limpet track``, by their names.

    >>> JobSettings(model="deaot-nano", max_size=320).max_size
    320

    model, weights, max_size, enlarge, objects_at_once, precision, memory, flip, scales, flow: see ``limpet.load``.
    memory_budget: MB (10^6 bytes) that a state may hold.
    bundle, runtime: an exported tracker instead of a model, see ``limpet.load_exported``.
    resize_mask, overlay, max_frames, max_seconds: see ``limpet.track``.

    Raises:
        DataError: a setting of a model beside a bundle, or a runtime without one.
    """

    model: str | None = None
    weights: str | None = None
    max_size: int = 480
    enlarge: float = 1.67
    objects_at_once: int | None = None
    precision: str = "auto"
    memory: str | None = None
    memory_budget: float | None = None
    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    flow: str | None = None
    bundle: str | None = None
    runtime: str | None = None
    resize_mask: bool = False
    overlay: bool = True
    max_frames: int | None = None
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.bundle is None:
            if self.runtime is not None:
                raise DataError(
                    f"runtime is {self.runtime!r}, but no bundle is given; name one, or leave it out"
                )
            return
        other = [
            name for name in LOAD if getattr(self, name) != JobSettings.__dataclass_fields__[name].default
        ]
        if other:
            raise DataError(
                f"{other[0]} does not go with a bundle, which was exported with its own; leave it out"
            )


LOAD = (
    "model", "weights", "max_size", "enlarge", "objects_at_once", "memory", "memory_budget", "flip", "scales", "flow",
)  # fmt: skip
"""Settings of a model that torch runs."""
