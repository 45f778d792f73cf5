"""Which model and which engine are meant, where a file or a bundle says it already."""

from __future__ import annotations

from pathlib import Path

from limpet.bench.settings import TORCH
from limpet.errors import ModelError


def choose_model(name: str | None, weights: Path | None, bundle: Path | None, default: str) -> str:
    """The model that is named, or that the bundle or the weights are of, or the ``default``.

    Raises:
        ModelError: two of them say different things. WeightsError: the file or the bundle is missing or damaged.
    """
    said = None
    if bundle is not None:
        from limpet.runtime.manifest import Manifest

        said, where = Manifest.read(bundle).model, bundle
    elif weights is not None:
        from limpet.weights.files import read_weights

        said, where = read_weights(weights).model, weights
    if said is not None and name not in (None, said):
        raise ModelError(f"{where} is of {said}, not of {name}; name {said}, or no model")
    return said or name or default


def choose_engine(name: str | None, bundle: Path | None) -> str:
    """The engine that is named, or that the bundle was made for, or torch.

    Raises:
        ModelError: the bundle is for another. WeightsError: it is missing or damaged.
    """
    if bundle is None:
        return name or TORCH
    from limpet.runtime.manifest import Manifest

    backend = Manifest.read(bundle).backend
    if name not in (None, backend):
        raise ModelError(f"{bundle} was exported for {backend}, not for {name}; name {backend}, or no engine")
    return backend
