"""The table of formats that a tracker can be exported to. One more is one line here and one module.

A backend's module has one function, ``write(programs, folder, options) -> Written``, which puts its files into the
folder and says which file holds which graph.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import MissingExtraError, ModelError
from limpet.export.program import Programs
from limpet.runtime.manifest import GraphSpec

PRECISIONS = ("fp32", "fp16", "bf16", "int8")


@dataclass(frozen=True)
class Clip:
    """Frames to calibrate with or to compare on: uint8 (H, W, 3) RGB each, and the first one's mask of ids (H, W)."""

    frames: tuple[NDArray[np.uint8], ...]
    mask: NDArray[np.uint8]
    name: str


@dataclass(frozen=True)
class ExportOptions:
    """What a backend may need to know besides the graphs.

    precision: of weights and sums, one of PRECISIONS. calibration: the frames that int8 is measured on.
    compiled: for torch, also compile to machine code.
    """

    precision: str = "fp32"
    calibration: Clip | None = None
    compiled: bool = False


@dataclass(frozen=True)
class Written:
    """What a backend wrote: where the graphs are, with their tensors in the file's order, and what to tell the user."""

    begin: GraphSpec
    step: GraphSpec
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Backend:
    """One line of the table.

    module: where its ``write`` is. summary: for the help. extra, packages: what it needs to be installed, by the
    names that are imported. precisions: which it can write. dynamic: whether it can leave the size open.
    calibrated: whether its int8 is measured on a clip.
    captures: precisions in which the model itself is converted before its graphs are captured; else it is in fp32.
    """

    module: str
    summary: str
    extra: str
    packages: tuple[str, ...]
    precisions: tuple[str, ...]
    dynamic: bool = False
    calibrated: bool = False
    captures: tuple[str, ...] = ("fp32",)


BACKENDS: dict[str, Backend] = {
    "onnx": Backend(
        "limpet.export.onnx", "ONNX, for onnxruntime", "export", ("onnx", "onnxscript"), ("fp32", "int8"),
        dynamic=True, calibrated=True,
    ),
    "openvino": Backend(
        "limpet.export.openvino", "OpenVINO, for Intel and AMD processors", "export",
        ("onnx", "onnxscript", "openvino"), ("fp32", "fp16", "bf16", "int8"), dynamic=True, calibrated=True,
    ),
    "torch": Backend(
        "limpet.export.torch", "torch's own file of a graph", "export", ("torch",), ("fp32", "bf16"),
        captures=("fp32", "bf16"),
    ),
    "litert": Backend(
        "limpet.export.litert", "LiteRT, for phones", "export", (), ("fp32", "fp16", "int8"), calibrated=True
    ),
    "coreml": Backend(
        "limpet.export.coreml", "Core ML, for Apple's devices", "coreml", ("coremltools",), ("fp32", "fp16"),
    ),
}  # fmt: skip


def find_backend(name: str) -> Backend:
    """The line called ``name``. Raises ModelError when there is none."""
    if name not in BACKENDS:
        raise ModelError(f"there is no format {name!r} to export to; the formats are: {', '.join(BACKENDS)}")
    return BACKENDS[name]


def load_writer(name: str) -> Callable[[Programs, Path, ExportOptions], Written]:
    """The function that writes the format. Raises MissingExtraError, naming what to install."""
    backend = find_backend(name)
    for package in backend.packages:
        _import(package, name, backend)
    writer: Callable[[Programs, Path, ExportOptions], Written] = importlib.import_module(backend.module).write
    return writer


def _import(package: str, name: str, backend: Backend) -> ModuleType:
    logging.disable(logging.WARNING)  # coremltools logs ten lines about versions, and that this is no Mac
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(f"export to {name}", backend.extra, package) from error
    finally:
        logging.disable(logging.NOTSET)
