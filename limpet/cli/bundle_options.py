"""``--bundle`` and ``--runtime``: commands that run a tracker which ``limpet export`` made, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limpet.cli.config_options import given
from limpet.cli.options import MODEL, MODEL_PANEL
from limpet.cli.terminal import note
from limpet.core.errors import ModelError

if TYPE_CHECKING:
    from limpet.runtime.exported_tracker import ExportedTracker

Bundle = Annotated[
    Path | None,
    typer.Option(
        "--bundle",
        metavar="DIR",
        help="Run an exported tracker instead of a model; see: limpet export.",
        rich_help_panel=MODEL_PANEL,
    ),
]
RuntimeName = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        metavar="onnx|openvino|litert|torch",
        help="Runtime for which --bundle must have been exported.",
        rich_help_panel=MODEL_PANEL,
    ),
]
_MEMORY = "its memory was fixed when it was exported (limpet export --references, --ring, --gap and --memory)"
_SIZE = "its input size was fixed when it was exported (limpet export --size and --max-size)"
NOT_WITH_A_BUNDLE = {
    "model": "the bundle holds its model",
    "weights": "the bundle holds its weights",
    "device": "bundles run on the CPU",
    "max_size": _SIZE,
    "enlarge": _SIZE,
    "flow": "its source of optical flow was fixed when it was exported (limpet export --flow)",
    "objects_at_once": "its number of objects was fixed when it was exported (limpet export --objects)",
    "memory": _MEMORY,
    "memory_budget": _MEMORY,
    "memory_gap": _MEMORY,
    "memory_frames": _MEMORY,
    "preset": _MEMORY,
    "short_term_skip": "its short-term memory is the previous frame",
    "flip": "it processes each frame once",
    "scales": "it processes each frame once",
    "resume": "such a run saves no state to go on from",
}
"""Options of models that torch runs, by the names of their parameters, and why they do not go with a bundle."""


def exported_tracker(
    context: typer.Context,
    bundle: Path | None,
    runtime: str | None,
    precision: str = "auto",
    later_frames: Iterable[int] = (),
) -> Callable[[], ExportedTracker] | None:
    """A function that opens the bundle, or None where the command runs a model.

    Args:
        context: of the command; other options that were given must go with a bundle.
        later_frames: those whose masks will be added.

    Raises:
        ModelError: a runtime without a bundle, or an option that does not go with a bundle.
    """
    if bundle is None:
        _check_alone(runtime)
        return None
    came = given(context)
    for name, reason in NOT_WITH_A_BUNDLE.items():
        if name in came:
            option = name.replace("_", "-")
            raise ModelError(f"--{option} does not go with --bundle: {reason}; leave it out")
    return partial(_open, bundle, runtime, precision, sorted(later_frames))


def _open(bundle: Path, runtime: str | None, precision: str, later: list[int]) -> ExportedTracker:
    from limpet.runtime.exported_tracker import load_exported

    tracker = load_exported(bundle, runtime=runtime, precision=precision)
    places, needed = tracker.manifest.references, 1 + len(later)
    if needed > places:
        note(
            f"{bundle} has room for {places} of the {needed} frames with given masks: a new one replaces the last one "
            f"before it; export with --references {needed} to keep all"
        )
    return tracker


def _check_alone(runtime: str | None) -> None:
    if runtime is None:
        return
    from limpet.runtime.engine import RUNTIMES

    if runtime not in RUNTIMES:
        raise ModelError(f"there is no runtime {runtime!r}; the choices are: {', '.join(RUNTIMES)}")
    raise ModelError(
        f"--runtime {runtime} runs an exported tracker; name its folder with --bundle; to make one: limpet export "
        f"{MODEL} --to {runtime} --size HEIGHTxWIDTH --out DIR"
    )
