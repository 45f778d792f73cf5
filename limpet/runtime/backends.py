"""The table of formats that a tracker can be exported to, and run from. One more is one line here. Needs no torch.

``limpet/export/`` has a module for each format, with one function, ``write(programs, folder, options) -> Written``,
which puts the files into the folder and says which file holds which graph. ``limpet/runtime/`` has a module for each
runtime, with one function, ``open_engine(manifest, folder, options) -> Engine``. docs/adding_an_exporter.md adds one.
"""

from __future__ import annotations

from dataclasses import dataclass

from limpet.core.errors import ModelError


@dataclass(frozen=True)
class Backend:
    """One line of the table.

    summary: for the help. precisions: those it can be written in. dynamic: whether it can leave the frames' size open.
    calibrated: whether its int8 is measured on a clip.
    captures: precisions in which the model itself is converted before its graphs are captured; else it is in fp32.
    writer: the module with ``write``. writer_packages: the imports that it needs. writer_extra: installs them.
    engine: the module with ``open_engine``; empty where limpet cannot run the format.
    package: the import that the engine needs. extra: installs that.
    """

    summary: str
    precisions: tuple[str, ...]
    writer: str
    writer_packages: tuple[str, ...]
    writer_extra: str
    engine: str = ""
    package: str = ""
    extra: str = ""
    dynamic: bool = False
    calibrated: bool = False
    captures: tuple[str, ...] = ("fp32",)


BACKENDS: dict[str, Backend] = {
    "onnx": Backend(
        "ONNX, for onnxruntime", ("fp32", "int8"),
        "limpet.export.onnx", ("onnx", "onnxscript"), "export",
        "limpet.runtime.onnx_engine", "onnxruntime", "onnx",
        dynamic=True, calibrated=True,
    ),
    "openvino": Backend(
        "OpenVINO, for Intel and AMD processors", ("fp32", "fp16", "bf16", "int8"),
        "limpet.export.openvino", ("onnx", "onnxscript", "openvino"), "export",
        "limpet.runtime.openvino_engine", "openvino", "openvino",
        dynamic=True, calibrated=True,
    ),
    "litert": Backend(
        "LiteRT, for phones", ("fp32", "fp16", "int8"),
        "limpet.export.litert", (), "export",
        "limpet.runtime.litert_engine", "ai_edge_litert", "litert",
        calibrated=True,
    ),
    "coreml": Backend(
        "Core ML, for Apple's devices", ("fp32", "fp16"),
        "limpet.export.coreml", ("coremltools",), "coreml",
    ),
    "torch": Backend(
        "torch's own file of a graph", ("fp32", "bf16"),
        "limpet.export.torch", ("torch",), "export",
        "limpet.runtime.torch_engine", "torch", "export",
        captures=("fp32", "bf16"),
    ),
}  # fmt: skip


def find_backend(name: str) -> Backend:
    """The line called ``name``. Raises ModelError when there is none."""
    if name not in BACKENDS:
        raise ModelError(f"there is no format {name!r} to export to; the formats are: {', '.join(BACKENDS)}")
    return BACKENDS[name]
