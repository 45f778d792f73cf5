"""torch: ``start.pt2`` and ``step.pt2``, graphs that ``torch.export.load`` reads, or machine code of them.

With ``compiled`` the files are packages of AOTInductor, for processors like this machine's; a C++ compiler makes them,
and ``torch._inductor.aoti_load_package`` reads them.
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import torch

from limpet.core.errors import ModelError
from limpet.export.program import Program, Programs
from limpet.export.writer import ExportOptions, Written
from limpet.runtime.manifest import GraphSpec
from limpet.runtime.torch_engine import COMPILED


def write(programs: Programs, folder: Path, options: ExportOptions) -> Written:
    """Write both graphs into ``folder``. Raises ModelError where there is no compiler, or it fails."""
    if options.compiled and shutil.which("g++") is None:
        raise ModelError(
            "compiled graphs need the compiler g++, which is not installed; install it or leave out --compiled"
        )
    start, step = (_write(program, folder, options.compiled) for program in (programs.start, programs.step))
    return Written(start, step)


def _write(program: Program, folder: Path, compiled: bool) -> GraphSpec:
    path = folder / f"{program.name}.pt2"
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter(
            "ignore"
        )  # torch warns that weights of which a graph uses a part are stored whole
        if compiled:
            torch._inductor.aoti_compile_and_package(program.exported, package_path=str(path))
            return GraphSpec(path.name, program.inputs, program.outputs, entry=COMPILED)
        program.exported.example_inputs = None  # megabytes of zeros, and pickled
        torch.export.save(program.exported, path)
    return GraphSpec(path.name, program.inputs, program.outputs)
