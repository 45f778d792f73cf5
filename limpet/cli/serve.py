"""``limpet serve``: the page to draw, propagate and correct masks, on this machine."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from limpet.cli.options import MODEL, DeviceName, ModelName, SegmenterName, WeightsFile
from limpet.cli.terminal import note, say
from limpet.core.errors import MissingExtraError


def serve_command(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[VIDEO or PROJECT]",
            help="A video file, a folder of images, or the folder of a project. Without it, the page asks.",
            show_default=False,
        ),
    ] = None,
    project: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the video's project.", show_default="VIDEO's name with -project"
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = 8765,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen at. Any other than that of this machine lets others reach the page; they need "
            "its token.",
        ),
    ] = "127.0.0.1",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
    root: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="A folder from which the page may open videos and projects. May be repeated.",
            show_default="the current folder, and that of VIDEO or PROJECT",
        ),
    ] = None,
    segmenter: SegmenterName = None,
    model: ModelName = None,
    weights: WeightsFile = None,
    device: DeviceName = "auto",
) -> None:
    """Draw, propagate and correct masks on a page in the browser.

    Everything is kept in the folder of a project, see limpet project: each stroke as soon as it is made. Ctrl-C ends
    it.
    """
    from limpet.segment.choose_segmenter import segmenter_files

    try:
        from limpet.serve.click_process import ClickProcess
        from limpet.serve.run_server import Listening, run_server
        from limpet.serve.workbench import ServeConfig, Workbench
    except ModuleNotFoundError as error:
        raise MissingExtraError("limpet serve", "web", error.name or "starlette") from error

    roots = tuple(root or [Path.cwd(), *([path.absolute().parent] if path else [])])
    clicks = ClickProcess(segmenter, device) if segmenter_files(segmenter) else None
    bench = Workbench(ServeConfig(roots, _model(model, weights), weights, device), segmenter=clicks)
    if path is not None:
        bench.open(path, project)
        bench.background.prepare(bench.config.model)

    def started(listening: Listening) -> None:
        say(f"limpet serve: {listening.address}")
        if not listening.loopback:
            note(f"the page can be reached from other machines at {host}; whoever has the token can edit")
        note("Ctrl-C ends it; everything is kept")
        if browser:
            webbrowser.open(listening.address)

    try:
        run_server(bench, host, port, started)
    finally:
        if clicks is not None:
            clicks.close()
    say("ended; everything is kept")


def _model(name: str | None, weights: Path | None) -> str:
    """The model that propagates, checked before anything is served. Raises ModelError, WeightsError."""
    from limpet.registry import find
    from limpet.weights.zoo import check_model, find_weights, is_hub_address, model_in

    if weights is not None:
        held = model_in(weights)
        check_model(weights, held, name or held)
        return held
    name = name or MODEL
    if not is_hub_address(name):
        find(name)
        find_weights(name, None)
    return name
