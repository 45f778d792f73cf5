"""``limpet vot``: the tracker for the toolkit of the VOT challenges, workspaces for it, and our own measures."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from limpet.cli.config_options import given, with_options
from limpet.cli.evaluation_options import MemoryOptions
from limpet.cli.options import TrackerOptions
from limpet.cli.terminal import note, notes, say
from limpet.cli.vot_options import VotOptions, open_tracker
from limpet.core.errors import DataError, OutputError
from limpet.core.files import atomic_path

app = typer.Typer(no_args_is_help=True)
_OF_DATA = {"split", "resolution", "fps", "anchors", "eao"}
_OF_WORKSPACE = {"stack", "data", *_OF_DATA}
"""Options of ``init`` about the sequences and the experiments, which an existing workspace has already."""


@app.callback()
def _group() -> None:
    """Run a model in the VOT challenges."""


@app.command()
@with_options(TrackerOptions, MemoryOptions, VotOptions)
def serve(context: typer.Context, **options: Any) -> None:
    """Answer the toolkit of VOT, which starts this command.

    It speaks TraX on standard input and output, with masks and several objects. limpet vot init writes the line of
    trackers.ini that starts it.
    """
    from limpet.evaluation.vot.serve_tracker import serve as answer
    from limpet.evaluation.vot.serve_tracker import warm_up
    from limpet.evaluation.vot.trax_connection import toolkit_connection

    if sys.stdin.isatty():
        note("this is started by VOT's toolkit, not by hand; see: limpet vot init --help")
    min_confidence = options.pop("min_confidence")
    connection = toolkit_connection(sys.stdin)
    tracker = open_tracker(context, options)
    warm_up(tracker)
    notes(answer(tracker, connection, f"limpet {tracker.name}", min_confidence), rest="in the toolkit's log")


@app.command()
@with_options(TrackerOptions, MemoryOptions, VotOptions)
def init(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="The workspace to make, or one to which a tracker is added."),
    ],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="The tracker's name in trackers.ini and of its results.")
    ] = "limpet",
    stack: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The challenge: vot2020/shortterm (or 2021, 2022), vots2023, vots2024/main, vots2025/main, whose data "
            "the toolkit downloads, or with --data: short-term (one object at a time), vots (all at once).",
            show_default="vot2020/shortterm, with --data short-term",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="ROOT", help="Labelled videos to make sequences of, as for limpet eval."),
    ] = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="Split of --data.")] = "all",
    resolution: Annotated[
        str, typer.Option(metavar="NAME", help="Folder below JPEGImages of --data.")
    ] = "480p",
    fps: Annotated[
        float,
        typer.Option(metavar="X", min=0.1, help="Frames per second of --data, for real-time experiments."),
    ] = 24.0,
    anchors: Annotated[
        int, typer.Option(metavar="N", min=1, help="Frames between two starts of a run, for short-term.")
    ] = 50,
    eao: Annotated[
        tuple[int, int],
        typer.Option(
            metavar="LOW HIGH",
            help="Lengths of runs over which the expected average overlap is averaged. Choose smaller ones where your "
            "videos are shorter.",
        ),
    ] = (115, 755),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a tracker of the same name.")
    ] = False,
    **options: Any,
) -> None:
    """Make a workspace for VOT's toolkit, with a tracker that runs limpet.

    For an existing workspace, only the tracker is added. The options of the model and its memory are written into
    trackers.ini.
    """
    from limpet.evaluation.vot.workspace import CONFIG, TRACKERS, TrackerEntry, add_tracker

    made = not (folder / CONFIG).exists()
    lonely = sorted(_OF_DATA & given(context)) if made and data is None else []
    if lonely:
        raise DataError(
            f"--{lonely[0]} is about videos of your own; name them with --data ROOT, or leave it out"
        )
    tracker = open_tracker(
        context, options
    )  # what cannot be loaded is told here, and not in a log of the toolkit
    words = serve_words(context, options)
    if made:
        _make_workspace(
            folder,
            stack or ("short-term" if data else "vot2020/shortterm"),
            data,
            split,
            resolution,
            fps,
            anchors,
            eao,
        )
    elif _OF_WORKSPACE & given(context):
        raise OutputError(
            f"{folder} is a workspace already, whose stack and sequences stay; leave those options out"
        )
    command = [sys.executable, "-m", "limpet", "vot", "serve", *words]
    add_tracker(folder, TrackerEntry(name, command, f"limpet {tracker.name}"), overwrite)
    say(f"{folder / TRACKERS}: {name}; run it with: vot evaluate --workspace {folder} {name}")


@app.command()
def table(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A workspace with results.")],
    tracker: Annotated[
        list[str] | None,
        typer.Argument(metavar="TRACKER...", help="Trackers.", show_default="all with results"),
    ] = None,
    analysis: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="What vot analysis --format json has written, to be shown beside our own."
        ),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Also print what DeAOT's paper reports on VOT 2020.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all measures as JSON, too.")
    ] = None,
) -> None:
    """Print measures of the results in a workspace: EAO, A and R, or Q, A, R, NRE, DRE and ADQ.

    They are limpet's own and not official; only those of VOT's toolkit are (vot analysis).
    """
    from limpet.evaluation.vot.score_workspace import score_workspace
    from limpet.evaluation.vot.tables import UNOFFICIAL, published_table, score_tables, toolkit_measures

    official = None if analysis is None else toolkit_measures(analysis)
    results = score_workspace(folder, tracker or ())
    console = Console()
    for each in score_tables(results, official):
        console.print(each)
    if published:
        console.print(published_table())
    say(UNOFFICIAL)
    if out is not None:
        content = {
            "official": False,
            "remark": UNOFFICIAL,
            "results": [result.as_dict() for result in results],
        }
        with atomic_path(out) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def serve_words(context: typer.Context, options: dict[str, Any]) -> list[str]:
    """The options of ``serve`` that came on the command line, as words; files get absolute paths."""
    came = given(context)
    words: list[str] = []
    for option, value in options.items():
        if option in came:
            flag = "--" + option.replace("_", "-")
            if isinstance(value, bool):
                words += [flag] if value else []
            else:
                words += [flag, str(value.resolve() if isinstance(value, Path) else value)]
    return words


def _make_workspace(
    folder: Path,
    stack_name: str,
    data: Path | None,
    split: str,
    resolution: str,
    fps: float,
    anchors: int,
    eao: Sequence[int],
) -> None:
    from limpet.evaluation.vot.stacks import find_stack
    from limpet.evaluation.vot.workspace import check_interval, write_config, write_sequences

    stack = find_stack(stack_name)
    check_interval((eao[0], eao[1]))
    if data is None and not stack.official:
        raise DataError(f"--stack {stack_name} is for data of your own; name it with --data ROOT")
    if data is not None and stack.official:
        raise DataError(
            f"--stack {stack_name} has data of its own, which the toolkit downloads; with --data choose --stack "
            "short-term or vots"
        )
    if data is not None:
        from limpet.data import evaluation_videos

        videos = evaluation_videos(data, split, resolution)
        left_out = write_sequences(
            folder, videos, stack.multiobject, anchor_distance=anchors, frames_per_second=fps
        )
        notes(left_out, rest="not in the first frame either")
    write_config(folder, stack, (eao[0], eao[1]))
