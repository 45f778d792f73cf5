"""``limpet eval DATASET ROOT``: score a model, or saved masks, by the protocol of a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from limpet.cli.config_options import with_options
from limpet.cli.evaluation_job import evaluate, make_job
from limpet.cli.evaluation_options import DavisOptions, MemoryOptions, MoseOptions, YouTubeVosOptions
from limpet.cli.options import TrackerOptions

app = typer.Typer(no_args_is_help=True)

FAILED = 1
_OWN = ("resolution", "frames", "seen", "version")
"""Options of single benchmarks."""
_RUN = "Running"


@app.callback()
def _group() -> None:
    """Score a model by the protocol of a benchmark."""


def _dataset_command(key: str, about: str, *extra: type) -> None:
    """Add ``limpet eval KEY``."""

    @with_options(TrackerOptions, MemoryOptions, *extra)
    def command(
        root: Annotated[Path, typer.Argument(metavar="ROOT", help="The folder of the data set.")],
        split: Annotated[
            str | None,
            typer.Option(
                metavar="NAME",
                help="Split, as the data set names it; the name of one video, where its layout allows it.",
                show_default="the one that papers report",
            ),
        ] = None,
        predictions: Annotated[
            Path | None,
            typer.Option(
                metavar="DIR",
                help="Score the masks DIR/SEQUENCE/FRAME.png (SA-V, BURST: DIR/SEQUENCE/OBJECT/FRAME.png) instead of "
                "running a model.",
            ),
        ] = None,
        out: Annotated[
            Path | None,
            typer.Option(
                metavar="DIR",
                help="Folder for scores (CSV, JSON), masks, pictures of the worst videos and the submission. A second "
                "run with the same settings does only what is missing.",
            ),
        ] = None,
        masks: Annotated[
            bool, typer.Option("--masks/--no-masks", help="Keep the model's masks in masks/ of --out.")
        ] = True,
        processes: Annotated[
            int,
            typer.Option(
                metavar="N",
                min=1,
                help="Number of videos at a time, each in a process.",
                rich_help_panel=_RUN,
            ),
        ] = 1,
        apart: Annotated[
            bool,
            typer.Option(
                "--apart",
                help="Follow each object on its own, so that masks may overlap; takes as many times longer.",
            ),
        ] = False,
        overwrite: Annotated[
            bool, typer.Option("--overwrite", help="Start again in a folder that has files.")
        ] = False,
        **options: Any,
    ) -> None:
        own: dict[str, Any] = {name: options.pop(name) for name in _OWN if name in options}
        evaluate(
            make_job(key, root, split, own, predictions, options, apart),
            options, out, keeps_masks=masks, processes=processes, overwrite=overwrite,
        )  # fmt: skip

    command.__doc__ = about
    app.command(key)(command)


_dataset_command(
    "davis",
    """Measure J and F by the protocol of DAVIS: DAVIS 2016 and 2017, or any labelled data set in another layout.

    The mask of the first frame is given; the first and the last frame are not scored. Splits: 2017/val (the default),
    2016/val (one object), any list in ImageSets, all; where labels are withheld (2017/test-dev), the submission is
    written instead.
    """,
    DavisOptions,
)
_dataset_command(
    "youtube-vos",
    """Follow the protocol of YouTube-VOS 2018 or 2019, and write the submission, or G where the labels are there.

    Objects begin where their first mask is, also in the middle of a video; masks of the listed frames are asked for.
    Splits: valid (the default), test, train.
    """,
    YouTubeVosOptions,
)
_dataset_command(
    "mose",
    """Follow the protocol of MOSE, and write the submission, or measure J and F where the labels are there.

    The first and the last frame are not scored; what happens around disappearances is told apart. Splits: valid (the
    default), train, or the name of one video.
    """,
    MoseOptions,
)
_dataset_command(
    "lvos",
    """Follow the protocol of LVOS 1 or 2: J and F of long videos, and G over seen and unseen ones.

    Splits: valid (the default), train; where the labels are withheld (test), the submission is written instead.
    """,
)
_dataset_command(
    "sa-v",
    """Measure J and F by the protocol of SA-V: all 24 frames per second are seen, 6 are scored; masks may overlap.

    Where given masks overlap, the smaller object has the pixels; --apart follows each object on its own. Splits:
    sav_val (the default), sav_test, or the name of one video.
    """,
)
_dataset_command(
    "burst",
    """Follow the exemplar-guided protocol of BURST: HOTA, J and F in the annotated frames, and the file of results.

    HOTA, DetA and AssA are over all, common and uncommon classes; results.json is for BURST's own code. Splits: val
    (the default), test.
    """,
)


@app.command()
def check(
    archive: Annotated[
        Path,
        typer.Argument(metavar="ARCHIVE", help="The zip file for the server, or the folder that it holds."),
    ],
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="Whose rules: davis, youtube-vos, mose, lvos, sa-v.")
    ],
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The folder of the data set.")],
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Split.", show_default="as for: limpet eval DATASET")
    ] = None,
) -> None:
    """Check a submission by the rules that the benchmark's server publishes: names, sizes, palette, ids, frames.

    It may come from any program. Exit code 1 where the server would refuse it or score masks as wrong.
    """
    from limpet.cli.evaluation_report import tell_check
    from limpet.evaluation.check_submission import check_submission
    from limpet.evaluation.protocols.known_protocols import open_protocol

    protocol = open_protocol(dataset, root, split)
    if not tell_check(check_submission(archive, protocol), archive):
        raise typer.Exit(FAILED)
