"""``limpet weights``: convert official checkpoints, average several files, and describe a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limpet.cli.options import NetworkSize, Threads, TrainDevice
from limpet.cli.terminal import FrameProgress, notes, say
from limpet.core.errors import DataError
from limpet.core.files import atomic_path, check_free
from limpet.core.provenance import command_line

if TYPE_CHECKING:
    from limpet.evaluation.video_task import VideoTask
    from limpet.training.greedy_soup import TasteConfig
    from limpet.weights.weights_file import Weights

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Convert, average or describe weights files."""


@app.command()
def convert(
    checkpoint: Annotated[
        Path,
        typer.Argument(metavar="CHECKPOINT", help="An official checkpoint of AOT, DeAOT or STCN (.pth)."),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Model of the checkpoint.", show_default="the one that its tensors fit"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File to write.", show_default="MODEL.safetensors beside CHECKPOINT"
        ),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store as fp16: half the size.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Convert an official checkpoint to a limpet weights file.

    Every name and shape is checked; no code in the checkpoint is run. For checkpoints see: limpet models NAME.
    """
    import torch

    from limpet.weights.convert import convert as convert_checkpoint

    dtype = torch.float16 if half else torch.float32
    command = command_line()
    done = convert_checkpoint(checkpoint, model, out, dtype=dtype, overwrite=overwrite, command=command)
    notes([f"{checkpoint.name}: {line}" for line in done.notes], rest="")
    if model is None:
        say(f"{checkpoint.name} is of {done.model}")
    say(f"{done.path} (sha256 {done.sha256})")


@app.command()
def push(
    address: Annotated[
        str, typer.Argument(metavar="hf:OWNER/NAME", help="A repository on the hub, or hf:./FOLDER.")
    ],
    weights: Annotated[Path, typer.Argument(metavar="FILE", help="A limpet weights file.")],
    card: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Model card in Markdown.", show_default="from the weights"),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
) -> None:
    """Put weights on the Hugging Face hub, with a model card; limpet.load("hf:OWNER/NAME") reads them."""
    from limpet.weights.hub import push_to_hub

    say(push_to_hub(address, weights, card=card, private=private))


@app.command()
def average(
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="PLACE...",
            help="Weights files, or folders of training runs: finished, stopped or still running.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Average the weights of several runs (a uniform model soup; ``soup`` chooses among them).

    The runs should have begun with the same weights. Of a run's folder, the averaged weights (EMA) of the last
    checkpoint are used; those of a single folder are just written to FILE.
    """
    from limpet.training.model_soup import average_weights
    from limpet.weights.weights_file import write_weights

    check_free(out, overwrite)
    weights = average_weights(places)
    weights.facts["command"] = command_line()
    say(f"{out} (sha256 {write_weights(out, weights)})")


@app.command()
def soup(
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="PLACE...",
            help="Weights files, or folders of training runs, of which the weights of --keep-every and the last are "
            "taken.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write; a report is written beside it.")],
    video: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROOT:SPLIT",
            help="Sequences to choose by: those of the training, never those that the result will be judged by. May be "
            "repeated.",
        ),
    ] = None,
    uniform: Annotated[
        bool, typer.Option("--uniform", help="Average all of them, without choosing.")
    ] = False,
    stride: Annotated[int, typer.Option(metavar="N", min=1, help="Score every N-th frame.")] = 2,
    max_frames: Annotated[
        int | None,
        typer.Option(metavar="N", min=3, help="Score at most N frames of a sequence.", show_default="all"),
    ] = None,
    max_size: NetworkSize = 480,
    device: TrainDevice = "auto",
    threads: Threads = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Average the weights that are better together (a greedy model soup).

    Every ingredient is scored by itself; beginning with the best, each is kept if the mean with it scores no worse.
    FILE.json tells what was kept.
    """
    from limpet.training.greedy_soup import TasteConfig, find_ingredients
    from limpet.training.model_soup import average_weights
    from limpet.weights.weights_file import write_weights

    report = out.with_name(out.name + ".json")
    for path in (out, report):
        check_free(path, overwrite)
    found = find_ingredients(places)
    if uniform:
        weights, content = average_weights(found), {"ingredients": list(map(str, found)), "uniform": True}
        weights.facts["soup"] = f"the mean of {len(found)} weights"
    else:
        config = TasteConfig(stride, max_frames, max_size)
        weights, content = _choose(found, video or [], config, device, threads)
    weights.facts["command"] = command_line()
    say(f"{out} (sha256 {write_weights(out, weights)})")
    with atomic_path(report) as temporary:
        temporary.write_text(json.dumps({"command": command_line(), **content}, indent=1) + "\n")


def _choose(
    places: Sequence[Path], video: Sequence[str], config: TasteConfig, device: str, threads: int
) -> tuple[Weights, dict[str, Any]]:
    """The greedy soup, told on the way, and its report."""
    import torch

    from limpet.data import evaluation_videos
    from limpet.tracking.load import choose_device
    from limpet.training.greedy_soup import greedy_soup, sequence_scorer
    from limpet.training.train_model import root_and_split

    if not video:
        raise DataError(
            "there is nothing to choose by; give --video ROOT:SPLIT with sequences of the training, or --uniform"
        )
    sequences = [each for text in video for each in evaluation_videos(*root_and_split(text))]
    if threads:
        torch.set_num_threads(threads)
    frames = sum(len(each.thinned(config.stride, config.max_frames)) for each in sequences)
    done = 0
    with FrameProgress() as progress:

        def on_frame(what: str, sequence: VideoTask, index: int) -> None:
            nonlocal done
            done += 1
            progress(done, frames * (2 * len(places) - 1), what)

        score = sequence_scorer(sequences, config, choose_device(device), on_frame)
        made = greedy_soup(places, score)
    for each in made.tasted:
        with_it = "" if each.soup is None else f", the soup with it {each.soup:.2f}"
        say(f"{'kept' if each.kept else 'left'}  {each.score:.2f}{with_it}  {each.place}")
    say(f"J&F of the soup on {len(sequences)} sequences: {made.score:.2f}")
    return made.weights, {**made.as_json(), "video": list(video), **config.as_json()}


@app.command()
def show(file: Annotated[Path, typer.Argument(metavar="FILE", help="A weights file or checkpoint.")]) -> None:
    """Describe a weights file: model, size, sha256, origin."""
    from limpet.weights.identify import describe_weights

    rows = describe_weights(file)
    width = max(len(heading) for heading, _ in rows)
    for heading, text in rows:
        say(f"{heading:{width}}  {text}")
