"""Graphs that torch captured, or machine code of them. The one engine that needs torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from limpet.core.cpu import keep_freed_memory
from limpet.core.errors import WeightsError
from limpet.runtime.engine import EngineOptions, refuse_precision
from limpet.runtime.manifest import GraphSpec, Manifest

COMPILED = "compiled"
"""The entry of a graph whose file holds machine code; limpet/export/torch.py writes it."""


def open_engine(manifest: Manifest, folder: Path, options: EngineOptions) -> TorchEngine:
    """Raises WeightsError where torch refuses a file, ModelError for a precision that the bundle lacks.

    The number of threads is set for torch as a whole.
    """
    refuse_precision(manifest, options)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    return TorchEngine(manifest, folder)


class TorchEngine:
    """Both graphs. Values are torch tensors."""

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        keep_freed_memory()
        self.runtime = f"torch {torch.__version__}"
        self.precision = manifest.precision
        self._start = _TorchGraph(manifest.start, folder)
        self._step = _TorchGraph(manifest.step, folder)

    def start(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Engine``."""
        return self._start(feeds)

    def step(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Engine``."""
        return self._step(feeds)

    def as_array(self, value: Any) -> NDArray[Any]:
        """See ``Engine``; bfloat16, which numpy does not know, as uint16."""
        if not isinstance(value, Tensor):
            return np.asarray(value)
        array: NDArray[Any] = (value.view(torch.uint16) if value.dtype == torch.bfloat16 else value).numpy()
        return array


class _TorchGraph:
    def __init__(self, spec: GraphSpec, folder: Path) -> None:
        self._spec = spec
        try:
            self._run = _load(folder / spec.file, spec.entry == COMPILED)
        except Exception as error:  # zip, JSON, versions of torch: its errors share no base class
            raise WeightsError(
                f"torch {torch.__version__} cannot read {folder / spec.file}: {error}; export it again"
            ) from error

    @torch.inference_mode()
    def __call__(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        given = [_tensor(feeds[each.name], each.dtype) for each in self._spec.inputs]
        names = (each.name for each in self._spec.outputs)
        return dict(zip(names, self._run(*given), strict=True))


def _load(path: Path, compiled: bool) -> Callable[..., Any]:
    if compiled:
        package: Callable[..., Any] = torch._inductor.aoti_load_package(str(path))
        return package
    return torch.export.load(path).module()


def _tensor(value: Any, dtype: str) -> Tensor:
    if isinstance(value, Tensor):
        return value
    tensor = torch.from_numpy(np.array(value))
    return tensor.view(torch.bfloat16) if dtype == "bfloat16" else tensor
