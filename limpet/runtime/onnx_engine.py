"""onnxruntime on the processor. Values are its own tensors, which it writes once and reads in place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime import InferenceSession, OrtValue

from limpet.core.errors import WeightsError
from limpet.runtime.engine import EngineOptions, refuse_precision
from limpet.runtime.manifest import GraphSpec, Manifest


def open_engine(manifest: Manifest, folder: Path, options: EngineOptions) -> OnnxEngine:
    """Raises WeightsError where onnxruntime refuses a file, ModelError for a precision that the bundle lacks."""
    refuse_precision(manifest, options)
    return OnnxEngine(manifest, folder, options.threads)


class OnnxEngine:
    """Both graphs in sessions of onnxruntime."""

    def __init__(self, manifest: Manifest, folder: Path, threads: int | None) -> None:
        self.runtime = f"onnxruntime {onnxruntime.__version__}"
        self.precision = manifest.precision
        self._start = _OnnxGraph(manifest.start, folder, threads)
        self._step = _OnnxGraph(manifest.step, folder, threads)

    def start(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Engine``."""
        return self._start(feeds)

    def step(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Engine``."""
        return self._step(feeds)

    def as_array(self, value: Any) -> NDArray[Any]:
        """See ``Engine``."""
        array: NDArray[Any] = value.numpy() if isinstance(value, OrtValue) else value
        return array


class _OnnxGraph:
    def __init__(self, spec: GraphSpec, folder: Path, threads: int | None) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors; warnings are of its own making
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session = InferenceSession(
                str(folder / spec.file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors share no base class
            raise WeightsError(
                f"onnxruntime {onnxruntime.__version__} cannot read {folder / spec.file}: {error}; export it again"
            ) from error
        self._inputs = [
            (node.name, spec.name) for node, spec in zip(self._session.get_inputs(), spec.inputs, strict=True)
        ]
        self._outputs = [node.name for node in self._session.get_outputs()]
        self._names = [each.name for each in spec.outputs]

    def __call__(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        given = {inner: _value(feeds[name]) for inner, name in self._inputs}
        found = self._session.run_with_ort_values(self._outputs, given)
        return dict(zip(self._names, found, strict=True))


def _value(value: Any) -> OrtValue:
    if isinstance(value, OrtValue):
        return value
    return OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value))
