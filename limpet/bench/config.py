"""What is to be measured: the settings of ``limpet bench``, and which model and engine a file already names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from limpet.core.errors import ModelError, Option
from limpet.video.encode import MAX_SIDE

TORCH, COMPILED = "torch", "torch-compiled"
EXPORTED = ("onnx", "openvino", "litert")
ENGINES = (TORCH, COMPILED, *EXPORTED)
PRECISIONS = ("auto", "fp32", "bf16")
SPEED_SIZE, SPEED_OBJECTS = (480, 854), 3
"""Frame size (H, W) and number of objects of the one figure that ``limpet models`` shows."""


@dataclass(frozen=True)
class BenchConfig:
    """One measurement.

    Attributes:
        model: name of a preset.
        weights: a file; None takes those that ship, or random ones, which take the same time.
        engine: one of ENGINES.
        bundle: the folder of an exported tracker, which engines other than torch need.
        device: of torch's engines, see ``limpet.load``.
        precision: "auto", "fp32" or "bf16".
        size: (H, W) of the frames in pixels. max_size: limit on the shorter side of the network input.
        objects: how many are tracked.
        threads: of the engine and of OpenCV.
        frames: how many frames count. warm_up: how many come before them.
        end_to_end: measure from a video file to masks on the disk, not the steps alone.
        overlay: write the overlay video too.

    Raises:
        ModelError: something that cannot be measured; the message says what can.
    """

    model: str = "deaot-t-deformable"
    weights: Path | None = None
    engine: str = TORCH
    bundle: Path | None = None
    device: str = "auto"
    precision: str = "auto"
    size: tuple[int, int] = (480, 854)
    max_size: int = 480
    objects: int = 3
    threads: int = 2
    frames: int = 20
    warm_up: int = 4
    end_to_end: bool = False
    overlay: bool = False

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ModelError(
                f"there is no engine {self.engine!r}; use {', '.join(ENGINES[:-1])} or {ENGINES[-1]}"
            )
        if self.precision not in PRECISIONS:
            raise ModelError(f"precision is {self.precision!r}, expected auto, fp32 or bf16")
        for name, least in (("threads", 1), ("objects", 1), ("frames", 2), ("warm_up", 0), ("max_size", 16)):
            if getattr(self, name) < least:
                raise ModelError(f"{Option(name).flag} is {getattr(self, name)}; expected {least} or more")
        if self.objects > 255:
            raise ModelError(f"--objects is {self.objects}; a mask holds at most 255")
        if self.overlay and not self.end_to_end:
            raise ModelError("--overlay needs --end-to-end, since steps alone write no video; add it")
        height, width = self.size
        if self.end_to_end and (height % 2 or width % 2 or max(self.size) > MAX_SIDE):
            raise ModelError(
                f"--size is {height}x{width}, which no h264 video can have; "
                f"--end-to-end takes even sides up to {MAX_SIDE}"
            )
        self._check_bundle()

    def _check_bundle(self) -> None:
        if self.engine in EXPORTED and self.bundle is None:
            raise ModelError(
                f"the engine {self.engine} runs exported trackers; make one with limpet export, and name its folder "
                f"with --bundle"
            )
        if self.bundle is not None and self.engine == COMPILED:
            raise ModelError(f"the engine {self.engine} compiles a model, not a bundle; leave out --bundle")
        if self.bundle is not None and self.device == "cuda":
            raise ModelError("bundles are run on the processor; leave out --device")


def choose_model(name: str | None, weights: Path | None, bundle: Path | None, default: str) -> str:
    """The model: ``name``, or that of the bundle or of the weights file, or ``default``.

    Raises:
        ModelError: they name different models. WeightsError: the file or the bundle is missing or damaged.
    """
    said = None
    if bundle is not None:
        from limpet.runtime.manifest import Manifest

        said, where = Manifest.read(bundle).model, bundle
    elif weights is not None:
        from limpet.weights.weights_file import read_weights

        said, where = read_weights(weights).model, weights
    if said is not None and name not in (None, said):
        raise ModelError(f"{where} is of {said}, not of {name}; name {said}, or leave out the model")
    return said or name or default


def choose_engine(name: str | None, bundle: Path | None) -> str:
    """The engine: ``name``, or the one that the bundle was exported for, or torch.

    Raises:
        ModelError: the bundle was exported for another engine. WeightsError: it is missing or damaged.
    """
    if bundle is None:
        return name or TORCH
    from limpet.runtime.manifest import Manifest

    backend = Manifest.read(bundle).backend
    if name not in (None, backend):
        raise ModelError(
            f"{bundle} was exported for {backend}, not for {name}; name {backend}, or leave out --engine"
        )
    return backend
