"""LiteRT on the processor, with XNNPACK. Values are numpy arrays: its interpreter copies them in and out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from limpet.core.errors import WeightsError
from limpet.runtime.engine import EngineOptions, refuse_precision
from limpet.runtime.manifest import GraphSpec, Manifest, TensorSpec


def open_engine(manifest: Manifest, folder: Path, options: EngineOptions) -> LitertEngine:
    """Raises WeightsError where LiteRT refuses the file, ModelError for a precision that the bundle lacks."""
    refuse_precision(manifest, options)
    return LitertEngine(manifest, folder, options.threads)


class LitertEngine:
    """Both graphs in one interpreter. Without a number of threads it uses all processors."""

    def __init__(self, manifest: Manifest, folder: Path, threads: int | None) -> None:
        self.runtime = f"ai-edge-litert {version('ai-edge-litert')}"
        self.precision = manifest.precision
        path = folder / manifest.start.file
        try:
            interpreter = Interpreter(str(path), num_threads=threads or os.cpu_count())
            self._start = _LitertGraph(interpreter, manifest.start)
            self._step = _LitertGraph(interpreter, manifest.step)
        except (ValueError, RuntimeError) as error:
            raise WeightsError(f"{self.runtime} cannot read {path}: {error}; export it again") from error

    def start(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Engine``."""
        return self._start(feeds)

    def step(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Engine``."""
        return self._step(feeds)

    def as_array(self, value: Any) -> NDArray[Any]:
        """See ``Engine``."""
        return np.asarray(value)


class _LitertGraph:
    """One signature. The names in the file have ``_`` for dots."""

    def __init__(self, interpreter: Interpreter, spec: GraphSpec) -> None:
        self._run = interpreter.get_signature_runner(spec.entry)
        self._inputs = {_in_file(each): each.name for each in spec.inputs}
        self._outputs = {each.name: _in_file(each) for each in spec.outputs}

    def __call__(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        found = self._run(**{inner: feeds[name] for inner, name in self._inputs.items()})
        return {name: found[inner] for name, inner in self._outputs.items()}


def _in_file(spec: TensorSpec) -> str:
    return spec.name_in_file.replace(".", "_")
