"""The options of ``limpet eval`` that are not those of all commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from limpet.cli.options import MemoryBudget, MemoryPolicyName, PrecisionName


@dataclass(frozen=True)
class MemoryOptions:
    """The long-term memory and the arithmetic of the tracker."""

    memory: MemoryPolicyName = None
    memory_gap: Annotated[
        int | None,
        typer.Option(
            "--memory-gap", metavar="N", min=1,
            help="Frames between two that enter the long-term memory; papers use 5, and 3 on DAVIS test-dev.",
            show_default="as the model was trained", rich_help_panel="Memory",
        ),
    ] = None  # fmt: skip
    memory_budget: MemoryBudget = None
    precision: PrecisionName = "auto"


@dataclass(frozen=True)
class DavisOptions:
    """What only DAVIS has."""

    resolution: Annotated[
        str, typer.Option(metavar="NAME", help="Folder below JPEGImages: 480p, Full-Resolution.")
    ] = "480p"


@dataclass(frozen=True)
class YouTubeVosOptions:
    """What only YouTube-VOS has."""

    frames: Annotated[
        str | None,
        typer.Option(
            metavar="all|listed",
            help="Frames that the tracker sees: all (30 fps, of SPLIT_all_frames), or only the listed ones (6 fps).",
            show_default="all, where they are there",
        ),
    ] = None
    seen: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Which categories training shows: a meta.json, or a text file with one category per line.",
            show_default="ROOT/train/meta.json",
        ),
    ] = None


@dataclass(frozen=True)
class MoseOptions:
    """What only MOSE has."""

    version: Annotated[
        int,
        typer.Option(
            metavar="1|2",
            min=1,
            max=2,
            help="Measures: 1 has J and F of DAVIS; 2 those of MOSEv2, whose F is stricter for small objects.",
        ),
    ] = 1
