"""What a format's module is given and gives back: ``write(programs, folder, options) -> Written``."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from limpet.core.errors import MissingExtraError
from limpet.export.calibration_clip import SampleClip
from limpet.export.program import Programs
from limpet.runtime.backends import Backend, find_backend
from limpet.runtime.manifest import GraphSpec

PRECISIONS = ("fp32", "fp16", "bf16", "int8")


@dataclass(frozen=True)
class ExportOptions:
    """What a format's module may need to know besides the graphs.

    precision: of the weights and sums, one of PRECISIONS. calibration: the frames that int8 is measured on.
    compiled: for torch, also compile to machine code.
    """

    precision: str = "fp32"
    calibration: SampleClip | None = None
    compiled: bool = False


@dataclass(frozen=True)
class Written:
    """What was written: where the graphs are, with their tensors in the file's order, and what to tell the user."""

    start: GraphSpec
    step: GraphSpec
    notes: tuple[str, ...] = ()


Writer = Callable[[Programs, Path, ExportOptions], Written]


def load_writer(name: str) -> Writer:
    """The function that writes the format.

    Raises:
        ModelError: there is no such format. MissingExtraError: a package is missing; the message names what to install.
    """
    backend = find_backend(name)
    for package in backend.writer_packages:
        _import(package, name, backend)
    writer: Writer = importlib.import_module(backend.writer).write
    return writer


def _import(package: str, name: str, backend: Backend) -> ModuleType:
    logging.disable(logging.WARNING)  # coremltools logs ten lines about versions, and that this is not a Mac
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(f"export to {name}", backend.writer_extra, package) from error
    finally:
        logging.disable(logging.NOTSET)
