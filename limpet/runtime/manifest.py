"""What a bundle holds: the manifest.json beside an exported tracker's graphs.

A bundle is a folder: ``manifest.json`` and the files of one backend. The manifest has everything that a runner needs:
sizes, normalisation, the names and shapes of what goes in and comes out, and the sha256 of every file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from limpet.core.check_sums import CHECK_SUM, check_content, check_sum
from limpet.core.errors import WeightsError
from limpet.core.files import atomic_path
from limpet.core.json_text import read_json, whole_number
from limpet.core.limits import frame_sizes, is_frame_size
from limpet.core.saved_records import record_from

FORMAT = "limpet-bundle-2"
NAME = "manifest.json"
EARLIER_FORMAT = "limpet-bundle-1"
RENAMED_FIELDS = {"begin": "start", "deviation": "std"}
"""Fields of the earlier format, and what they are called now."""
RENAMED_TENSORS = {"filled": "memory_mask", "scores": "logits", "sure": "soft_iou"}
"""Tensors of graphs of the earlier format, and what they are called now; in the files they keep their names."""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output.

    shape: sizes, -1 where it may vary. dtype: as numpy names it, or "bfloat16".
    inner: its name within the file where that is another one, as in bundles of the earlier format; else empty.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    inner: str = ""

    @property
    def name_in_file(self) -> str:
        """What a backend that takes and gives tensors by name calls it."""
        return self.inner or self.name


@dataclass(frozen=True)
class GraphSpec:
    """One graph in the order in which its backend takes and gives tensors. file: beside the manifest.

    entry: the name of the signature within the file, where one file holds several graphs.
    """

    file: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    entry: str = ""


@dataclass(frozen=True)
class Manifest:
    """All facts of a bundle. Shapes: H W pixels of a frame; P Q pixels of the network's image.

    backend: a name of the table in limpet/runtime/backends.py. precision: of the weights and sums, "fp32", "fp16",
        "bf16" or "int8".
    model, weights_sha256: what was exported. calibration: how to turn soft IoUs into confidences, as the weights file
        has it, or None.
    frame_size: (H, W) of frames and masks; None where any size goes. network_size: (P, Q) of the image that the graphs
        take, which is the frame resized bicubically; None where any size goes.
    align_corners, max_short, max_long: how the network's size follows from a frame's (limpet/core/sizes.py).
    mean, std: image = (RGB / 255 - mean) / std.
    objects: most objects at once. references, ring, gap, memory: the long-term memory (limpet/models/fixed_size.py);
        bundles that do not name the memory's policy have a ring.
    start, step: the graphs. ``start`` takes "image" and "mask" and gives the state; ``step`` takes "image" and the
        state and gives "mask", "logits", "soft_iou" and, by the same names, what changes of the state.
    files: sha256 of every file beside the manifest. notes: what the user should know (licence, losses of accuracy).
    limpet: the version that made it.
    flow: source of the optical flow that the graphs read, by themselves; None for models that read none.
    """

    backend: str
    precision: str
    model: str
    weights_sha256: str
    frame_size: tuple[int, int] | None
    network_size: tuple[int, int] | None
    align_corners: bool
    max_short: int | None
    max_long: int | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    objects: int
    references: int
    ring: int
    gap: int
    start: GraphSpec
    step: GraphSpec
    limpet: str
    calibration: str | None = None
    memory: str = "ring"
    files: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    flow: str | None = None
    format: str = FORMAT

    def write(self, folder: Path) -> None:
        """Write ``folder/manifest.json``. Raises OutputError."""
        with atomic_path(folder / NAME) as temporary:
            facts = asdict(self)
            temporary.write_text(json.dumps(facts | {CHECK_SUM: check_sum(facts)}, indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read a bundle's manifest, of this format or the earlier one, and check its files.

        Raises:
            WeightsError: there is no bundle, or one of an unknown format, or a file is missing or has changed.
        """
        facts = _facts(folder)
        manifest = _from_facts(facts, folder)
        for name, expected in manifest.files.items():
            path = folder / name
            if not path.is_file():
                raise WeightsError(f"{folder} lacks {name}, which its manifest names; export the model again")
            if file_sha256(path) != expected:
                raise WeightsError(
                    f"{path} is not the file that was exported (its sha256 differs from the manifest's); "
                    f"export the model again"
                )
        return manifest


_BOUNDS = (("objects", 1, 255), ("references", 0, 1 << 20), ("ring", 0, 1 << 20), ("gap", 1, 1 << 31))
"""Whole numbers of a manifest, and what they can be."""


def file_sha256(path: Path) -> str:
    """The hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _facts(folder: Path) -> dict[str, Any]:
    path = folder / NAME
    if folder.is_file():
        raise WeightsError(
            f"{folder} is a file; expected the folder of an exported tracker, which holds {NAME}"
        )
    try:
        facts = read_json(path)
    except FileNotFoundError as error:
        raise WeightsError(
            f"{folder} is not an exported tracker: it has no {NAME}; make one with: limpet export"
        ) from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read ({error}); export the model again") from error
    found = facts.get("format") if isinstance(facts, dict) else None
    if found == EARLIER_FORMAT:
        return _renamed(facts)
    if found != FORMAT:
        raise WeightsError(
            f"{folder} is a bundle of format {found!r}, made by limpet {_maker(facts)}; this version reads {FORMAT} "
            f"and {EARLIER_FORMAT}: export the model again"
        )
    try:
        check_content(facts)
    except ValueError as error:
        raise WeightsError(f"{path} is not as it was written: {error}") from error
    return {name: value for name, value in facts.items() if name != CHECK_SUM}


def _renamed(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of the earlier format, with the names of this one."""
    kept = {name: value for name, value in facts.items() if name != CHECK_SUM}
    renamed = {RENAMED_FIELDS.get(name, name): value for name, value in kept.items()} | {"format": FORMAT}
    try:
        for graph in (renamed.get("start", {}), renamed.get("step", {})):
            for spec in (*graph.get("inputs", ()), *graph.get("outputs", ())):
                spec["inner"] = spec["name"]
                spec["name"] = RENAMED_TENSORS.get(spec["name"], spec["name"])
    except (AttributeError, KeyError, TypeError):
        return renamed  # what is wrong is told where it is checked
    return renamed


def _from_facts(facts: dict[str, Any], folder: Path) -> Manifest:
    try:
        manifest = record_from(Manifest, facts)
        _check(manifest)
    except ValueError as error:
        raise WeightsError(
            f"{folder / NAME} is not a whole manifest ({error}); export the model again"
        ) from error
    return manifest


def _check(manifest: Manifest) -> None:
    """Raises ValueError for sizes that no export has, and for files outside of the bundle."""
    sizes = [size for size in (manifest.frame_size, manifest.network_size) if size is not None]
    if not all(is_frame_size(*size) for size in sizes):
        raise ValueError(f"the sizes are {sizes}; expected {frame_sizes()}")
    for name, lowest, highest in _BOUNDS:
        whole_number(getattr(manifest, name), name, lowest, highest)
    if min(manifest.std) <= 0:
        raise ValueError(f"std is {manifest.std}; expected numbers above 0")
    for graph in (manifest.start, manifest.step):
        if graph.file not in manifest.files:
            raise ValueError(f"the file {graph.file[:40]!r} is not among those that it lists")
        for tensor in (*graph.inputs, *graph.outputs):
            if not all(-1 <= side < 1 << 31 for side in tensor.shape):
                raise ValueError(f"{tensor.name[:40]!r} has the shape {tensor.shape}")
    for name in manifest.files:
        if name != Path(name.replace("\\", "/")).name or ":" in name or "\0" in name:
            raise ValueError(f"the file {name[:40]!r} does not lie beside it")


def _maker(facts: object) -> str:
    return str(facts.get("limpet", "?")) if isinstance(facts, dict) else "?"
