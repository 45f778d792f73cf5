"""``limpet convert SOURCE --to FORMAT OUT``: masks for other programs, and from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from limpet.cli.terminal import counted, notes, say


def convert_command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="A folder of results, a project, a folder of indexed PNGs, or a file of another program.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file or folder to write.")],
    to: Annotated[
        str, typer.Option("--to", metavar="FORMAT", help="One of the formats above; see docs/formats.md.")
    ],
    polygons: Annotated[
        bool, typer.Option("--polygons", help="Outlines instead of RLE; holes in masks are filled.")
    ] = False,
    name: Annotated[
        list[str] | None, typer.Option(metavar="ID=NAME", help="Name of an object. May be repeated.")
    ] = None,
    sequence: Annotated[
        str | None, typer.Option(metavar="NAME", help="The video that is meant, where SOURCE has several.")
    ] = None,
    frame_rate: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="Frames per second of a SOURCE that states none, such as 25 or 30000/1001."
        ),
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option(
            metavar="VIDEO", help="For alpha videos: whose pictures they show.", show_default="white"
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write masks in a format of another program.

    Ids, names and frame times are kept where the format has a place for them; what is lost is told.

    A file: coco, youtube-vis, youtube-vis-results, cvat-video, cvat-mask, mots-txt, sa-v, label-studio (boxes),
    label-studio-vector. A new folder: mots-png, supervisely, alpha-prores, alpha-vp9, alpha-qtrle, alpha-ffv1,
    alpha-png, png-per-object, exr.
    """
    from limpet.cli.project_commands import parse_names
    from limpet.exchange.formats import read_masks, write_masks
    from limpet.exchange.mask_sequence import positive_rate
    from limpet.exchange.options import ConversionOptions

    if (source / "project.json").is_file():
        from limpet.project import Project
        from limpet.project.mask_exchange import project_masks

        masks = project_masks(Project.open(source))
    else:
        masks = read_masks(source, sequence=sequence)
    rate = positive_rate(frame_rate, "--frame-rate")
    masks = masks if rate is None else masks.at_rate(rate)
    masks = masks.renamed(parse_names(name or []))
    write_masks(masks, out, to, ConversionOptions(polygons, video), overwrite=overwrite)
    notes(masks.notices, "see docs/formats.md")
    say(f"{counted(len(masks.names), 'object')} -> {out}")
