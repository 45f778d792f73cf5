"""The options of ``limpet vot serve``: a model, and which frames it remembers; DeAOT's authors had presets for VOT."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limpet.cli.bundle_options import Bundle, RuntimeName, exported_tracker
from limpet.cli.options import TrackerOptions, load_arguments
from limpet.core.errors import ModelError

if TYPE_CHECKING:
    from limpet.core.tracker_protocol import AnyTracker
    from limpet.tracking.tracker import Tracker

VOT_PANEL = "For VOT"

ShortTermSkip = Annotated[
    int | None,
    typer.Option(
        "--short-term-skip",
        metavar="N",
        min=1,
        help="The short-term memory is the frame N before the next one; 1 is the previous frame.",
        show_default="that of --preset, or 1",
        rich_help_panel=VOT_PANEL,
    ),
]
MemoryFrames = Annotated[
    int | None,
    typer.Option(
        "--memory-frames",
        metavar="N",
        min=1,
        help="Largest number of tracked frames in the long-term memory, besides the first frame.",
        show_default="that of --preset, or of the policy",
        rich_help_panel="Memory",
    ),
]
MinConfidence = Annotated[
    float,
    typer.Option(
        "--min-confidence",
        metavar="X",
        min=0,
        max=1,
        help="Report an object as absent in frames in which its confidence is below this; 0 reports every mask.",
        rich_help_panel=VOT_PANEL,
    ),
]
PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="vot2020|vots2023",
        help="The memories that the authors of DeAOT used for a challenge, as far as they are known; see docs/vot.md. "
        "Options that are given go first.",
        rich_help_panel=VOT_PANEL,
    ),
]


@dataclass(frozen=True)
class Memories:
    """Which frames are remembered; None leaves a choice to the model or to the policy."""

    short_term_skip: int | None = None
    memory: str | None = None
    gap: int | None = None
    max_frames: int | None = None


PRESETS = {
    "vot2020": Memories(short_term_skip=4, memory="ring", max_frames=9),
    "vots2023": Memories(short_term_skip=2, memory="ring", gap=30, max_frames=9),
}


@dataclass(frozen=True)
class VotOptions:
    """What the commands of VOT have besides the options of a model and of its memory."""

    memory_frames: MemoryFrames = None
    short_term_skip: ShortTermSkip = None
    preset: PresetName = None
    min_confidence: MinConfidence = 0.0
    bundle: Bundle = None
    runtime: RuntimeName = None


def memories_of(options: dict[str, Any]) -> Memories:
    """What is remembered: options that were given, and the preset for the others. Raises ModelError."""
    name = options["preset"]
    if name is not None and name not in PRESETS:
        raise ModelError(f"there is no preset {name!r}; the choices are: {', '.join(PRESETS)}")
    preset = PRESETS.get(name or "", Memories())
    chosen = {
        "short_term_skip": options["short_term_skip"],
        "memory": options["memory"],
        "gap": options["memory_gap"],
        "max_frames": options["memory_frames"],
    }
    return replace(preset, **{key: value for key, value in chosen.items() if value is not None})


def open_tracker(context: typer.Context, options: dict[str, Any]) -> AnyTracker[Any]:
    """The exported tracker of ``--bundle``, or a model. Raises ModelError for options that do not go together."""
    make = exported_tracker(context, options["bundle"], options["runtime"], options["precision"])
    return load_tracker(options) if make is None else make()


def load_tracker(options: dict[str, Any]) -> Tracker:
    """The tracker of the options of ``TrackerOptions``, ``MemoryOptions`` and ``VotOptions``."""
    import limpet

    memories = memories_of(options)
    of_model = {name: options[name] for name in TrackerOptions.__dataclass_fields__}
    tracker = limpet.load(
        precision=options["precision"],
        memory=memories.memory,
        memory_budget_mb=options["memory_budget"],
        short_term_skip=memories.short_term_skip or 1,
        **load_arguments(of_model),
    )
    changes = {"gap": memories.gap, "max_frames": memories.max_frames}
    wanted = {name: value for name, value in changes.items() if value is not None}
    if wanted and tracker.memory.name == "first":
        raise ModelError(
            "--memory-gap and --memory-frames do not go with the memory policy first, which keeps no tracked frames; "
            "choose --memory ring, official or bounded"
        )
    tracker.memory = replace(tracker.memory, **wanted)
    return tracker
