"""LiteRT: one ``tracker.tflite`` with two signatures, "start" and "step", which share their weights.

The converter, litert-torch, is large and pins many packages. It runs in an environment of its own, which
``scripts/litert_environment.sh`` makes; graphs go there as files of torch.export.

Precision is that of the stored weights; sums are float32. fp32: as trained. fp16: half the size. int8: large
weights with a scale for each channel, small ones in fp16, and the encoder's biases corrected on frames of a clip, where
one is given (limpet/export/int8.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch

from limpet.core.errors import ModelError
from limpet.export.int8 import correct_for_int8
from limpet.export.program import Program, Programs, innermost_layer
from limpet.export.writer import ExportOptions, Written
from limpet.runtime.manifest import GraphSpec

FILE = "tracker.tflite"
SMALL = 1 << 16
"""Weights of fewer numbers stay fp16 in int8: the encoder's first half is small, and rounding it moves masks much."""
PYTHON = "LIMPET_LITERT_PYTHON"
"""The environment variable that names the converter's Python."""
DEFAULT_PYTHON = Path(".venv-litert/bin/python")
CONVERTER = Path(__file__).with_name("litert_converter.py")


def write(programs: Programs, folder: Path, options: ExportOptions) -> Written:
    """Write both graphs into ``folder``.

    Raises:
        ModelError: the converter's environment is not there, or an operation that LiteRT does not have.
    """
    python = find_converter()
    if options.precision == "int8" and options.calibration is not None:
        programs = correct_for_int8(programs, options.calibration, SMALL)
    with tempfile.TemporaryDirectory(prefix="limpet-litert-") as temporary:
        job = make_job(programs, Path(temporary), folder / FILE, options.precision)
        run_converter(python, job, Path(temporary))
    return Written(graph_spec(programs.start), graph_spec(programs.step))


def graph_spec(program: Program) -> GraphSpec:
    """Where a program is in the file. LiteRT takes and gives tensors by name, so that their order does not matter."""
    return GraphSpec(FILE, program.inputs, program.outputs, entry=program.name)


def find_converter() -> Path:
    """The Python that has litert-torch. Raises ModelError, saying how to get one."""
    named = os.environ.get(PYTHON)
    python = Path(named) if named else DEFAULT_PYTHON
    if not python.is_file():
        where = f"{PYTHON} says {named}" if named else f"{PYTHON} is not set and ./{python} is not there"
        raise ModelError(
            f"export to litert runs litert-torch in an environment of its own, and {where}; make it with: "
            f"scripts/litert_environment.sh (it then lies in ./{DEFAULT_PYTHON.parent.parent})"
        )
    return python.absolute()


def inner_name(name: str) -> str:
    """What a tensor is called within the file: the converter takes no dots."""
    return name.replace(".", "_")


def make_job(programs: Programs, temporary: Path, out: Path, weights: str) -> dict[str, Any]:
    """Save the captured graphs, and describe what the converter has to do with them."""
    graphs = []
    for program in (programs.start, programs.step):
        path = temporary / f"{program.name}.pt2"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns about weights that share a storage, which are complete
            # without decompositions it still replaces operations in place, which litert-torch cannot run on views
            torch.export.save(program.exported.run_decompositions({}), path)
        graphs.append(_graph(program, path))
    failure = str(temporary / "failure.json")
    return {"graphs": graphs, "out": str(out), "weights": weights, "small": SMALL, "failure": failure}


def _graph(program: Program, path: Path) -> dict[str, Any]:
    return {
        "name": program.name,
        "program": str(path),
        "inputs": [inner_name(spec.name) for spec in program.inputs],
        "outputs": [inner_name(spec.name) for spec in program.outputs],
    }


def run_converter(python: Path, job: dict[str, Any], temporary: Path) -> None:
    """Run the job in the other environment. Raises ModelError with its message."""
    request = temporary / "job.json"
    request.write_text(json.dumps(job))
    done = subprocess.run(
        # isolated: the modules that lie beside the script are not its libraries
        [python, "-I", str(CONVERTER), str(request)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise ModelError(explain(Path(job["failure"]), done.stderr, python))


def explain(failure: Path, stderr: str, python: Path) -> str:
    """One sentence about a converter that failed: the operators it lacks, with their layers, or its last line."""
    if failure.is_file():
        facts = json.loads(failure.read_text())
        missing = [
            f"{operator} in {layer} ({graph})"
            for graph, found in facts["missing"].items()
            for operator, layer in dict.fromkeys((name, innermost_layer(paths)) for name, paths in found)
        ]
        if missing:
            return f"LiteRT has no operation for {'; '.join(missing)}; export to another format, such as onnx"
        return f"litert-torch cannot convert the tracker: {facts['message'].strip().splitlines()[0]}"
    lines = [line for line in stderr.splitlines() if line.strip()] or ["it printed nothing"]
    return f"{python} cannot run litert-torch: {lines[-1].strip()}; make it again with scripts/litert_environment.sh"
