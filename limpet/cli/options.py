"""The options that several commands share: which model to run, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limpet.cli.terminal import note
from limpet.core.errors import ModelError

if TYPE_CHECKING:
    from limpet.runtime.exported_tracker import ExportedTracker


MODEL = "deaot-t-deformable"
ENLARGE = 1.67

ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help=f"Which model; see: limpet models.  [default: that of --weights, or {MODEL}]",
    ),
]
WeightsFile = Annotated[
    Path | None,
    typer.Option("--weights", metavar="FILE", help="Weights of the model.  [default: those that ship]"),
]
DeviceName = Annotated[
    str,
    typer.Option(
        "--device", metavar="auto|cpu|cuda", help="Where to compute; auto takes a GPU if there is one."
    ),
]
ShorterSide = Annotated[
    int,
    typer.Option(
        "--max-size",
        metavar="PIXELS",
        min=16,
        help="Shorter side of what the network sees; larger frames are reduced for it. Masks always have the "
        "frames' own size.",
    ),
]
Enlarge = Annotated[
    float,
    typer.Option(
        "--enlarge",
        metavar="X",
        help="How much smaller frames are enlarged for the network, up to --max-size; 1 leaves them as they are.",
    ),
]
ObjectsAtOnce = Annotated[
    int | None,
    typer.Option(
        "--objects-at-once",
        metavar="N",
        min=1,
        help="Objects that share one pass of the network. Fewer are told apart better where they are alike, and take "
        "more time.  [default: 10]",
    ),
]
Flip = Annotated[
    bool, typer.Option("--flip", help="Also see every frame mirrored, and merge both; takes twice the time.")
]
Scales = Annotated[
    str,
    typer.Option(
        "--scales",
        metavar="LIST",
        help="See every frame at these scales, and merge: 1.0,1.3. Time grows with their squares.",
    ),
]


def parse_scales(text: str) -> tuple[float, ...]:
    """``1.0,1.3`` -> numbers. Raises ModelError for anything else."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ModelError(
            f"--scales {text!r} is not understood; expected numbers with commas between them, such as 1.0,1.3"
        ) from error


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
    from limpet.runtime.exported_tracker import load_exported

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


RENAMED_OPTIONS = {
    "--balance": "--attention-weight",
    "--checkpointing": "--gradient-checkpointing",
    "--crowd-share": "--crowd-prob",
    "--elsewhere-share": "--reference-augment-prob",
    "--encoder-rate": "--encoder-lr-ratio",
    "--identity-learns": "--train-id-bank-throughout",
    "--max-gap": "--max-frame-gap",
    "--mistake-share": "--mask-corruption-prob",
    "--own-predictions-from": "--teacher-forcing-until",
    "--pictures-gb": "--image-cache-gb",
    "--reference-until": "--aux-loss-until",
    "--rider-share": "--attached-object-prob",
    "--slots-all-from": "--id-shuffle-full",
    "--slots-fixed-until": "--id-shuffle-start",
    "--smallest-rate": "--min-learning-rate",
    "--video-share": "--video-prob",
}
"""Options of earlier versions, as the commands in weights files name them, and what they are called now."""
