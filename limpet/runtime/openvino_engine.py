"""OpenVINO on the processor. Each call writes into new tensors, which the next reads in place."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import WeightsError
from limpet.core.without_telemetry import without_telemetry
from limpet.runtime.engine import EngineOptions
from limpet.runtime.manifest import GraphSpec, Manifest

with without_telemetry():
    import openvino
    from openvino import Core, Tensor

HINTS = {"fp32": "f32", "fp16": "f32", "bf16": "bf16"}
"""How to compute, by the bundle's precision; fp16 is the precision of its weights only."""


def open_engine(manifest: Manifest, folder: Path, options: EngineOptions) -> OpenVinoEngine:
    """Raises WeightsError where OpenVINO refuses a file."""
    return OpenVinoEngine(manifest, folder, options)


class OpenVinoEngine:
    """Both graphs, compiled."""

    def __init__(self, manifest: Manifest, folder: Path, options: EngineOptions) -> None:
        self.runtime = f"openvino {openvino.__version__.partition('-')[0]}"
        core = shared_core()
        settings = _settings(manifest, options)
        self._start = _OpenVinoGraph(core, manifest.start, folder, settings)
        self._step = _OpenVinoGraph(core, manifest.step, folder, settings)
        self.precision = "int8" if manifest.precision == "int8" else self._step.precision

    def start(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Engine``."""
        return self._start(feeds)

    def step(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """See ``Engine``."""
        return self._step(feeds)

    def as_array(self, value: Any) -> NDArray[Any]:
        """See ``Engine``."""
        array: NDArray[Any] = value.data if isinstance(value, Tensor) else value
        return array


@cache
def shared_core() -> Core:
    """The one Core of this process, which lives as long as it does.

    OpenVINO's processor plugin gives the thread that loads it a stack of its own for signals, and takes it back with
    its Core. Where two Cores overlap, the second to go leaves the thread with the first one's freed stack, and the next
    Ctrl-C ends the process with a segmentation fault.
    """
    return Core()


class _OpenVinoGraph:
    def __init__(self, core: Core, spec: GraphSpec, folder: Path, settings: dict[str, Any]) -> None:
        try:
            self._compiled = core.compile_model(core.read_model(folder / spec.file), "CPU", settings)
        except RuntimeError as error:
            raise WeightsError(
                f"openvino cannot read {folder / spec.file}: {_last_line(error)}; export it again"
            ) from error
        self._request = self._compiled.create_infer_request()
        self._inputs, self._outputs = spec.inputs, spec.outputs
        kind = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.precision = {"f32": "fp32", "f16": "fp16"}.get(kind, kind)

    def __call__(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        given = {spec.name: _tensor(feeds[spec.name]) for spec in self._inputs}
        for place, tensor in enumerate(given.values()):
            self._request.set_input_tensor(place, tensor)
        fresh = [self._fresh(place, given) for place in range(len(self._outputs))]
        for place, tensor in enumerate(fresh):
            if tensor is not None:
                self._request.set_output_tensor(place, tensor)
        self._request.infer()
        # OpenVINO reuses tensors that it allocated itself
        found = [tensor or _copy(self._request.get_output_tensor(n)) for n, tensor in enumerate(fresh)]
        return {spec.name: tensor for spec, tensor in zip(self._outputs, found, strict=True)}

    def _fresh(self, place: int, given: Mapping[str, Tensor]) -> Tensor | None:
        """A new tensor for an output, because the inputs must not change; None where its size is not known yet."""
        port, earlier = self._compiled.outputs[place], given.get(self._outputs[place].name)
        if not port.partial_shape.is_dynamic:
            return Tensor(port.element_type, port.shape)
        return None if earlier is None else Tensor(port.element_type, earlier.shape)


def _settings(manifest: Manifest, options: EngineOptions) -> dict[str, Any]:
    wanted = manifest.precision if options.precision == "auto" else options.precision
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if wanted in HINTS:
        settings["INFERENCE_PRECISION_HINT"] = HINTS[wanted]
    if options.threads is not None:
        settings["INFERENCE_NUM_THREADS"] = options.threads
    return settings


def _tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else Tensor(np.ascontiguousarray(value), shared_memory=True)


def _copy(tensor: Tensor) -> Tensor:
    return Tensor(np.array(tensor.data))


def _last_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
