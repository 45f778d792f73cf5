"""``limpet train``: one stage of training from photos, videos, or both."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from limpet.cli.say import notes, say
from limpet.errors import DataError, ModelError
from limpet.files import output_error

PRECISIONS = ("bf16-mixed", "32-true")


def train_command(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the run: checkpoint, log, curves, weights.")
    ],
    model: Annotated[str, typer.Option(metavar="NAME", help="Which model; see: limpet models.")] = "deaot-t",
    stills: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Photos to make clips of: a folder with images/ and masks/."),
    ] = None,
    video: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROOT:SPLIT", help="Videos: a folder in DAVIS layout and a list. May be repeated."
        ),
    ] = None,
    encoder: Annotated[
        Path | None, typer.Option(metavar="FILE", help="ImageNet weights of the encoder (safetensors).")
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Weights of an earlier stage.")
    ] = None,
    steps: Annotated[int, typer.Option(metavar="N", min=1, help="Optimizer steps.")] = 20_000,
    batch: Annotated[int, typer.Option(metavar="N", min=1, help="Clips a step and device.")] = 4,
    frames: Annotated[int, typer.Option(metavar="N", min=2, help="Frames a clip.")] = 5,
    size: Annotated[int, typer.Option(metavar="PIXELS", help="Side of the clips, 16k + 1.")] = 465,
    video_share: Annotated[
        tuple[float, float], typer.Option(metavar="A B", help="Share of clips from videos, at start and end.")
    ] = (0.5, 0.5),
    max_gap: Annotated[
        tuple[int, int], typer.Option(metavar="A B", help="Largest distance of frames, at start and end.")
    ] = (2, 6),
    learning_rate: Annotated[float, typer.Option(metavar="X", help="The highest, after warm-up.")] = 2e-4,
    smallest_rate: Annotated[float, typer.Option(metavar="X", help="Where its decay ends.")] = 2e-5,
    weight_decay: Annotated[float, typer.Option(metavar="X", help="Of matrices; AdamW's.")] = 0.07,
    own_predictions_from: Annotated[
        float,
        typer.Option(
            metavar="X", help="Share of the steps (0 to 1) after which memory is of own predictions."
        ),
    ] = 0.5,
    slots_fixed_until: Annotated[
        float, typer.Option(help="Progress up to which objects keep the identity slot of their id.")
    ] = 0.0,
    slots_all_from: Annotated[float, typer.Option(help="Progress from which all slots are used.")] = 0.0,
    reference_until: Annotated[
        float,
        typer.Option(
            metavar="X", help="Share of the steps (0 to 1) at which the first frame's loss is gone."
        ),
    ] = 1.0,
    frozen_stages: Annotated[int, typer.Option(metavar="N", help="Encoder stages that do not learn.")] = 2,
    precision: Annotated[
        str, typer.Option(metavar="bf16-mixed|32-true", help="Number format of the computation.")
    ] = "bf16-mixed",
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="Take less memory and more time.")
    ] = False,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute; auto takes a GPU if there is one.")
    ] = "auto",
    processes: Annotated[int, typer.Option(metavar="N", min=1, help="Devices to train on.")] = 1,
    threads: Annotated[int, typer.Option(metavar="N", min=0, help="CPU threads; 0: torch's choice.")] = 0,
    seed: Annotated[int, typer.Option(metavar="N", help="Of everything random.")] = 0,
    save_every: Annotated[int, typer.Option(metavar="N", min=0, help="Steps between checkpoints.")] = 500,
    score: Annotated[
        str | None,
        typer.Option(metavar="ROOT:SPLIT", help="A small set in DAVIS layout to score now and then."),
    ] = None,
    score_every: Annotated[int, typer.Option(metavar="N", min=0, help="Steps between scores.")] = 2000,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's checkpoint.")] = False,
) -> None:
    """Train a model on photos, videos, or both.

    The averaged weights are written to weights.safetensors in --out; name them with --weights elsewhere.
    """
    import torch

    from limpet.data import ClipConfig, DavisFolder, StillsFolder
    from limpet.training.config import TrainConfig
    from limpet.training.loop import train
    from limpet.training.setup import build_model, davis_score, finish_run

    if stills is None and not video:
        raise DataError("there is nothing to train on; give --stills DIR, --video ROOT:SPLIT, or both")
    _check_place(out, resume)
    _check_machine(device, precision)
    if threads:
        torch.set_num_threads(threads)
    config = TrainConfig(
        model=model, steps=steps, learning_rate=learning_rate, smallest_rate=smallest_rate,
        weight_decay=weight_decay, frozen_stages=frozen_stages, own_predictions_from=own_predictions_from,
        slots_fixed_until=slots_fixed_until, slots_all_from=slots_all_from,
        reference_until=reference_until, precision=precision, checkpointing=checkpointing,
        save_every=save_every, score_every=score_every if score else 0,
        clips=ClipConfig(
            frames=frames, size=size, batch=batch, seed=seed, video_share=video_share, max_gap=max_gap
        ),
    )  # fmt: skip
    photos = StillsFolder(stills) if stills else None
    videos = [DavisFolder(*root_and_split(text)) for text in video or []]
    skipped = [line for folder in (photos, *videos) if folder for line in folder.skipped]
    notes([f"skipped {line}" for line in skipped], rest="not usable either", most=20)
    network = build_model(model, encoder, start)
    judge = davis_score(*root_and_split(score)) if score else None
    _make(out)
    for part in ("fabric", "pytorch"):  # "Using bfloat16 …" only repeats what was asked for
        logging.getLogger(f"lightning.{part}.utilities.rank_zero").setLevel(logging.WARNING)
    with _words_when_stopped(out):
        average = train(
            network, config, out, photos, videos, device=device, processes=processes, resume=resume, score=judge
        )  # fmt: skip
    digest = finish_run(average, config, out)
    say(f"{out / 'weights.safetensors'} (sha256 {digest})")


def root_and_split(text: str) -> tuple[Path, str]:
    """``ROOT:SPLIT`` -> both parts. Raises DataError when a part is missing."""
    root, colon, split = text.rpartition(":")
    if not colon or not root or not split:
        raise DataError(f"{text!r} names no split; expected ROOT:SPLIT, for instance DAVIS:train")
    return Path(root), split


def _check_place(out: Path, resume: bool) -> None:
    checkpoint = out / "checkpoint.safetensors"
    if checkpoint.exists() and not resume:
        raise DataError(f"{out} holds a run already; go on with --resume, or choose another folder")
    if resume and not checkpoint.exists():
        raise DataError(f"there is no checkpoint in {out} to go on from; start without --resume")


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, out) from error


def _check_machine(device: str, precision: str) -> None:
    from limpet.tracking.load import choose_device

    choose_device(device)
    if precision not in PRECISIONS:
        raise ModelError(f"precision is {precision!r}, expected {' or '.join(PRECISIONS)}")


@contextmanager
def _words_when_stopped(out: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interrupt:
        saved = (out / "checkpoint.safetensors").exists()
        interrupt.add_note(
            f"stopped; go on from the last checkpoint in {out} with --resume" if saved
            else "stopped before the first checkpoint; nothing can be resumed"
        )  # fmt: skip
        raise
