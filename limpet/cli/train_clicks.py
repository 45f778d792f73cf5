"""``limpet train-clicks``: the small network that makes masks of clicks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from limpet.cli.config_options import given, with_options
from limpet.cli.options import EncoderFile, Resume, RunFolder, StartFile, StillsPath, Threads
from limpet.cli.terminal import notes, say
from limpet.cli.train import notes_when_stopped
from limpet.core.config_fields import build
from limpet.core.errors import DataError, Option
from limpet.segment.clicks.click_config import ClickTrainConfig


@with_options(ClickTrainConfig)
def train_clicks_command(
    context: typer.Context,
    out: RunFolder,
    stills: StillsPath = None,
    video: Annotated[
        list[str] | None,
        typer.Option(metavar="ROOT:SPLIT", help="Videos with masks, as for limpet train. May be repeated."),
    ] = None,
    encoder: EncoderFile = None,
    start: StartFile = None,
    resume: Resume = False,
    threads: Threads = 0,
    **settings: Any,
) -> None:
    """Train the network that makes masks of clicks.

    Some photos are kept out of the training, to measure with. The averaged weights (EMA) are written to
    weights.safetensors in --out; name them with --segmenter elsewhere.
    """
    from limpet.data import StillsFolder
    from limpet.segment.clicks.click_samples import held_out
    from limpet.segment.clicks.train_clicks import WEIGHTS, train_clicks
    from limpet.training.train_model import check_run_folder, training_set

    if stills is None and not video:
        raise DataError(
            "there is nothing to train on; give ",
            Option("stills", "DIR"),
            ", ",
            Option("video", "ROOT:SPLIT"),
            ", or both",
        )
    check_run_folder(out, resume)
    if threads:
        import torch

        torch.set_num_threads(threads)
    config = build(ClickTrainConfig, settings)
    photos = None if stills is None else StillsFolder(stills)
    sets = [training_set(text) for text in video or []]
    notes(
        [f"skipped {line}" for each in (photos, *sets) if each is not None for line in each.skipped],
        rest="that cannot be used", most=20,
    )  # fmt: skip
    kept = set(held_out(photos or [], config.held_out))
    shown = [each for each in photos or [] if each not in kept]
    with notes_when_stopped(out):
        sha256 = train_clicks(out, config, shown, sets, encoder, start, resume=resume, given=given(context))
    say(f"{out / WEIGHTS} (sha256 {sha256})")
