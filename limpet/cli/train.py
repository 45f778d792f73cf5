"""``limpet train``: one stage of training from photos, videos, or both."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limpet.cli import train_options as opt
from limpet.cli.options import root_and_split
from limpet.cli.terminal import notes, say
from limpet.core.errors import DataError, ModelError
from limpet.core.files import output_error

if TYPE_CHECKING:
    from limpet.training.config import TrainConfig


def train_command(
    out: opt.RunFolder,
    model: Annotated[str, typer.Option(metavar="NAME", help="Which model; see: limpet models.")] = "deaot-t",
    stills: opt.StillsPath = None,
    video: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROOT:SPLIT",
            help="Videos: a folder in DAVIS layout and a list, or YouTube-VOS and train. May be repeated.",
        ),
    ] = None,
    encoder: opt.EncoderFile = None,
    start: opt.StartFile = None,
    steps: opt.Steps = 20_000,
    batch: opt.Batch = 4,
    frames: opt.Frames = 5,
    size: opt.ClipSize = 465,
    video_prob: opt.VideoProb = (0.5, 0.5),
    crowd_prob: opt.CrowdProb = (0.0, 0.0),
    attached_object_prob: opt.AttachedObjectProb = 0.0,
    max_frame_gap: opt.MaxFrameGap = (2, 6),
    image_cache_gb: opt.ImageCacheGb = 4.0,
    learning_rate: opt.LearningRate = 2e-4,
    min_learning_rate: opt.SmallestRate = 2e-5,
    encoder_lr_ratio: opt.EncoderRate = 0.1,
    weight_decay: opt.WeightDecay = 0.07,
    teacher_forcing_until: opt.OwnPredictionsFrom = 0.5,
    train_id_bank_throughout: opt.IdentityLearns = False,
    mask_corruption_prob: opt.MistakeShare = 0.0,
    reference_augment_prob: opt.ElsewhereShare = 0.0,
    id_shuffle_start: opt.SlotsFixedUntil = 0.0,
    id_shuffle_full: opt.SlotsAllFrom = 0.0,
    long_term_gap: opt.LongTermGap = None,
    aux_loss_until: opt.ReferenceUntil = 1.0,
    frozen_stages: opt.FrozenStages = 2,
    precision: opt.TrainPrecision = "bf16-mixed",
    gradient_checkpointing: opt.Checkpointing = False,
    device: opt.TrainDevice = "auto",
    processes: opt.Processes = 1,
    threads: opt.Threads = 0,
    seed: opt.Seed = 0,
    save_every: opt.SaveEvery = 500,
    score: opt.ScoreSet = None,
    score_every: opt.ScoreEvery = 2000,
    resume: opt.Resume = False,
) -> None:
    """Train a model on photos, videos, or both.

    The averaged weights are written to weights.safetensors in --out; name them with --weights elsewhere.
    """
    options = dict(locals())
    import torch

    from limpet.data import StillsFolder, training_videos
    from limpet.training.loop import train
    from limpet.training.setup import build_training_model, davis_score, finish_run

    if stills is None and not video:
        raise DataError("there is nothing to train on; give --stills DIR, --video ROOT:SPLIT, or both")
    check_place(out, resume)
    check_machine(device, precision)
    if threads:
        torch.set_num_threads(threads)
    config = training_config(model, options)
    photos = StillsFolder(stills) if stills else None
    videos = [training_videos(*root_and_split(text)) for text in video or []]
    skipped = [line for folder in (photos, *videos) if folder for line in folder.skipped]
    notes([f"skipped {line}" for line in skipped], rest="not usable either", most=20)
    network = build_training_model(model, encoder, start, seed)
    judge = davis_score(*root_and_split(score)) if score else None
    make_folder(out)
    hush_fabric()
    with words_when_stopped(out):
        average = train(
            network, config, out, photos, videos, device=device, processes=processes, resume=resume, score=judge
        )  # fmt: skip
    digest = finish_run(average, config, out)
    if digest is not None:
        say(f"{out / 'weights.safetensors'} (sha256 {digest})")


PRECISIONS = ("bf16-mixed", "32-true")


def training_config(model: str, options: Mapping[str, Any]) -> TrainConfig:
    """What a command trains, from its options by name; see limpet/cli/config_options.py. Raises DataError."""
    from limpet.data import ClipConfig
    from limpet.training.config import TrainConfig

    given = {**options, "model": model, "score_every": options["score_every"] if options["score"] else 0}
    clips, rest = (
        {field.name: given[field.name] for field in fields(kind) if field.name in given}
        for kind in (ClipConfig, TrainConfig)
    )
    return TrainConfig(**{**rest, "clips": ClipConfig(**clips)})


def check_place(out: Path, resume: bool) -> None:
    """Raises DataError where a run would overwrite another, or has none to go on from."""
    checkpoint = out / "checkpoint.safetensors"
    if checkpoint.exists() and not resume:
        raise DataError(f"{out} holds a run already; go on with --resume, or choose another folder")
    if resume and not checkpoint.exists():
        raise DataError(f"there is no checkpoint in {out} to go on from; start without --resume")


def make_folder(out: Path) -> None:
    """Make the run's folder. Raises OutputError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, out) from error


def check_machine(device: str, precision: str) -> None:
    """Raises ModelError for a device that is not there or an unknown precision."""
    from limpet.tracking.load import choose_device

    choose_device(device)
    if precision not in PRECISIONS:
        raise ModelError(f"precision is {precision!r}, expected {' or '.join(PRECISIONS)}")


@contextmanager
def words_when_stopped(out: Path) -> Iterator[None]:
    """After Ctrl-C: what is kept of the run, and how to go on."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        saved = (out / "checkpoint.safetensors").exists()
        interrupt.add_note(
            f"stopped; go on from the last checkpoint in {out} with --resume" if saved
            else "stopped before the first checkpoint; nothing can be resumed"
        )  # fmt: skip
        raise


def hush_fabric() -> None:
    """Keep Lightning from repeating what was asked for ("Using bfloat16 …")."""
    for part in ("fabric", "pytorch"):
        logging.getLogger(f"lightning.{part}.utilities.rank_zero").setLevel(logging.WARNING)
