"""``--bundle`` and ``--runtime``: commands that run a tracker which ``limpet export`` made, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limpet.cli.options import MODEL
from limpet.cli.say import note
from limpet.errors import ModelError

if TYPE_CHECKING:
    from limpet.runtime.tracker import ExportedTracker

Bundle = Annotated[
    Path | None,
    typer.Option(
        "--bundle", metavar="DIR", help="Run an exported tracker instead of a model; see: limpet export."
    ),
]
RuntimeName = Annotated[
    str | None,
    typer.Option(
        "--runtime", metavar="onnx|openvino|litert|torch", help="What --bundle must have been exported for."
    ),
]
AS_EXPORTED = "its memory is as it was exported (limpet export --references, --ring and --gap)"
NOT_WITH_A_BUNDLE = {
    "model": "the bundle holds its model",
    "weights": "the bundle holds its weights",
    "device": "bundles run on the processor",
    "max_size": "what its network sees is as it was exported (limpet export --size and --max-size)",
    "enlarge": "what its network sees is as it was exported (limpet export --size and --max-size)",
    "objects_at_once": "its objects are as it was exported (limpet export --objects)",
    "memory": AS_EXPORTED,
    "memory_budget": AS_EXPORTED,
    "flip": "it sees each frame once",
    "scales": "it sees each frame once",
    "resume": "such a run writes down nothing to go on from",
}
"""Options of models that torch runs, by the parameters' names, and why they say nothing of a bundle."""


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
        ModelError: a runtime without a bundle, or an option that a bundle cannot obey.
    """
    if bundle is None:
        _check_alone(runtime)
        return None
    for name, reason in NOT_WITH_A_BUNDLE.items():
        if _was_given(context, name):
            option = name.replace("_", "-")
            raise ModelError(f"--{option} does not go with --bundle: {reason}; leave it out")
    return partial(_open, bundle, runtime, precision, sorted(later_frames))


def _open(bundle: Path, runtime: str | None, precision: str, later: list[int]) -> ExportedTracker:
    from limpet.runtime.tracker import load_exported

    tracker = load_exported(bundle, runtime=runtime, precision=precision)
    places, needed = tracker.manifest.references, 1 + len(later)
    if needed > places:
        note(
            f"{bundle} has room for {places} of the {needed} frames with given masks: a new one takes the place of the "
            f"last one before it; export with --references {needed} to keep all"
        )
    return tracker


def _check_alone(runtime: str | None) -> None:
    if runtime is None:
        return
    from limpet.runtime.engine import RUNTIMES

    if runtime not in RUNTIMES:
        raise ModelError(f"there is no runtime {runtime!r}; the choices are: {', '.join(RUNTIMES)}")
    raise ModelError(
        f"--runtime {runtime} runs an exported tracker: name its folder with --bundle; to make one: limpet export "
        f"{MODEL} --to {runtime} --size HEIGHTxWIDTH --out DIR"
    )


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
