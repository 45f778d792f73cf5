"""What runs a bundle's graphs. Which module does it for which format, the table in ``limpet.runtime.backends`` says.

The state's values are the engine's own: what one call gave is put into the next as it is, so that megabytes of
memory are not copied at every frame. Values never change, and an earlier state can be gone on from.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from limpet.core.errors import MissingExtraError, ModelError
from limpet.runtime.backends import BACKENDS
from limpet.runtime.manifest import Manifest

PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class EngineOptions:
    """How to compute.

    precision: of the sums; "auto" takes the bundle's own, which only some runtimes can change.
    threads: number of the processor's threads; None leaves it to the runtime.

    Raises:
        ModelError: an unknown precision, or fewer than one thread.
    """

    precision: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ModelError(
                f"there is no precision {self.precision!r}; the choices are: {', '.join(PRECISIONS)}"
            )
        if self.threads is not None and self.threads < 1:
            raise ModelError(f"threads is {self.threads}; expected 1 or more, or None")


class Engine(Protocol):
    """A bundle's two graphs, ready to run.

    Attributes:
        runtime: name and version of the package that runs them.
        precision: of the sums, as far as the runtime reports it.
    """

    runtime: str
    precision: str

    def start(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """The graph of the first frame. Takes arrays by the manifest's names; gives values by name."""

    def step(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """The graph of any other frame. Takes arrays, or values that an earlier call gave."""

    def as_array(self, value: Any) -> NDArray[Any]:
        """A value as an array, to be read only; an array stays as it is. bfloat16 may come as uint16."""


RUNTIMES = {name: backend for name, backend in BACKENDS.items() if backend.engine}
"""The formats whose bundles can be run here."""


def open_engine(manifest: Manifest, folder: Path, options: EngineOptions) -> Engine:
    """The engine for a bundle.

    Raises:
        MissingExtraError: its package is not installed; names the extra.
        ModelError: no engine runs such bundles, or not with these options. WeightsError: the runtime refuses a file.
    """
    backend = BACKENDS.get(manifest.backend)
    if backend is None or not backend.engine:
        raise ModelError(
            f"{folder} is a bundle for {manifest.backend}, which limpet writes but cannot run; "
            f"it runs bundles for {', '.join(RUNTIMES)}"
        )
    if find_spec(backend.package) is None:
        raise MissingExtraError(f"a bundle for {manifest.backend}", backend.extra, backend.package)
    engine: Engine = importlib.import_module(backend.engine).open_engine(manifest, folder, options)
    return engine


def refuse_precision(manifest: Manifest, options: EngineOptions) -> None:
    """For runtimes that compute as the graph was written. Raises ModelError where another precision is requested."""
    if options.precision not in ("auto", manifest.precision):
        raise ModelError(
            f"the bundle was exported in {manifest.precision}, and {manifest.backend} computes as it was exported; "
            f"leave out precision, or export it with --precision {options.precision}"
        )
