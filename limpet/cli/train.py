"""``limpet train``: one stage of training from photos, videos, or both."""

from __future__ import annotations

from typing import Annotated

import typer

from limpet.cli import train_options as opt
from limpet.cli.say import notes, say
from limpet.cli.training_run import (
    check_machine,
    check_place,
    hush_fabric,
    make_folder,
    root_and_split,
    training_config,
    words_when_stopped,
)
from limpet.errors import DataError


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
    video_share: opt.VideoShare = (0.5, 0.5),
    crowd_share: opt.CrowdShare = (0.0, 0.0),
    rider_share: opt.RiderShare = 0.0,
    max_gap: opt.MaxGap = (2, 6),
    pictures_gb: opt.PicturesGb = 4.0,
    learning_rate: opt.LearningRate = 2e-4,
    smallest_rate: opt.SmallestRate = 2e-5,
    encoder_rate: opt.EncoderRate = 0.1,
    weight_decay: opt.WeightDecay = 0.07,
    own_predictions_from: opt.OwnPredictionsFrom = 0.5,
    identity_learns: opt.IdentityLearns = False,
    mistake_share: opt.MistakeShare = 0.0,
    elsewhere_share: opt.ElsewhereShare = 0.0,
    slots_fixed_until: opt.SlotsFixedUntil = 0.0,
    slots_all_from: opt.SlotsAllFrom = 0.0,
    long_term_gap: opt.LongTermGap = None,
    reference_until: opt.ReferenceUntil = 1.0,
    frozen_stages: opt.FrozenStages = 2,
    precision: opt.TrainPrecision = "bf16-mixed",
    checkpointing: opt.Checkpointing = False,
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

    from limpet.data import StillsFolder, video_folder
    from limpet.training.loop import train
    from limpet.training.setup import build_model, davis_score, finish_run

    if stills is None and not video:
        raise DataError("there is nothing to train on; give --stills DIR, --video ROOT:SPLIT, or both")
    check_place(out, resume)
    check_machine(device, precision)
    if threads:
        torch.set_num_threads(threads)
    config = training_config(model, options)
    photos = StillsFolder(stills) if stills else None
    videos = [video_folder(*root_and_split(text)) for text in video or []]
    skipped = [line for folder in (photos, *videos) if folder for line in folder.skipped]
    notes([f"skipped {line}" for line in skipped], rest="not usable either", most=20)
    network = build_model(model, encoder, start, seed)
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
