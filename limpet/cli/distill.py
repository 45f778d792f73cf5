"""``limpet distill``: from a teacher and unlabelled footage to a small tracker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limpet.cli import train_options as opt
from limpet.cli.options import root_and_split
from limpet.cli.terminal import FrameProgress, notes, say
from limpet.cli.train import (
    check_machine,
    check_place,
    hush_fabric,
    make_folder,
    training_config,
    words_when_stopped,
)
from limpet.core.errors import DataError

if TYPE_CHECKING:
    from limpet.data import VideoSet
    from limpet.distillation.config import DistillationConfig
    from limpet.distillation.label_clip import LabelConfig
    from limpet.tracking.tracker import Tracker


def distill_command(
    out: opt.RunFolder,
    teacher: Annotated[str, typer.Option(metavar="NAME", help="The model to learn from.")] = "deaot-l",
    teacher_weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The teacher's weights.  [default: those that ship]"),
    ] = None,
    student: Annotated[str, typer.Option(metavar="NAME", help="The model to make.")] = "deaot-t-deformable",
    videos: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR|ROOT:SPLIT",
            help="Footage: a folder of clips and frame folders, or a DAVIS layout and a list. May be repeated.",
        ),
    ] = None,
    first_masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Masks of the clips' first frames: CLIP.png or CLIP/FRAME.png. Clips without one get proposals.",
        ),
    ] = None,
    stills: opt.StillsPath = None,
    label_size: Annotated[
        int, typer.Option(metavar="PIXELS", min=16, help="Shorter side of the footage that is kept.")
    ] = 480,
    label_stride: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Keep every N-th frame of the footage; once for all, or once for each --videos.  [default: 1]",
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the teacher's labels are kept.  [default: OUT/labels]"),
    ] = None,
    cache_gb: Annotated[
        float, typer.Option(metavar="GB", min=0.01, help="What the labels may take on disk.")
    ] = 10.0,
    relabel: Annotated[
        bool, typer.Option("--relabel", help="Throw away labels of another teacher or with other settings.")
    ] = False,
    labels: Annotated[
        str,
        typer.Option(
            metavar="online|cached",
            help="online: the teacher watches every training clip; cached: its masks from the cache are learned, "
            "faster and without attention.",
        ),
    ] = "online",
    logits: Annotated[
        str, typer.Option(metavar="dist|inter|intra|kl|none", help="How scores are compared.")
    ] = "dist",
    attention: Annotated[
        str | None,
        typer.Option(
            metavar="cka|kl|none",
            help="How attention maps are compared.  [default: cka; none with cached labels]",
        ),
    ] = None,
    attention_weight: Annotated[
        float, typer.Option(metavar="X", help="Lambda: weight of the attention maps.")
    ] = 1.5,
    temperature: Annotated[float, typer.Option(metavar="X", help="Of --logits kl.")] = 1.0,
    label_weight: Annotated[
        float,
        typer.Option(metavar="X", help="Weight of the mask loss on the teacher's labels; the paper has 0."),
    ] = 1.0,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            metavar="S:T[:KIND]",
            help="Layers of student and teacher whose maps are compared, -1 being the last; KIND is long-term or "
            "self. May be repeated.  [default: -1:-1]",
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
    aux_loss_until: opt.ReferenceUntil = 1.0,
    frozen_stages: opt.FrozenStages = 2,
    precision: opt.TrainPrecision = "bf16-mixed",
    device: opt.TrainDevice = "auto",
    processes: opt.Processes = 1,
    threads: opt.Threads = 0,
    seed: opt.Seed = 0,
    save_every: opt.SaveEvery = 500,
    score: opt.ScoreSet = None,
    score_every: opt.ScoreEvery = 2000,
    resume: opt.Resume = False,
) -> None:
    """Make a small tracker out of a big one, without labels.

    The teacher follows the objects of each clip's first mask; the student learns to do what it does. The student's
    weights are written to weights.safetensors in --out.
    """
    options = dict(locals())
    import torch

    import limpet
    from limpet.data import StillsFolder
    from limpet.distillation.config import DistillationRecord, record
    from limpet.distillation.distill_student import distill
    from limpet.distillation.label_clip import LabelConfig
    from limpet.training.setup import build_training_model, davis_score, finish_run

    if stills is None and not videos:
        raise DataError("there is nothing to learn from; give --videos DIR, --stills DIR, or both")
    sources = with_strides(videos or [], label_stride or [1])
    check_place(out, resume)
    check_machine(device, precision)
    if threads:
        torch.set_num_threads(threads)
    attention = attention or ("none" if labels == "cached" else "cka")
    lesson = distillation_config(
        logits, attention, attention_weight, temperature, label_weight, maps or [], labels
    )
    training = training_config(student, options)
    tracker = limpet.load(teacher, weights=teacher_weights, device=device, max_size=label_size)
    settings = DistillationRecord(teacher, tracker.weights_sha256, student, lesson)
    network = build_training_model(student, encoder, start, seed)
    photos = StillsFolder(stills) if stills else None
    judge = davis_score(*root_and_split(score)) if score else None
    make_folder(out)
    record(settings, out, resume)  # changed settings are told before hours of labelling
    with words_when_stopped(out):
        config = LabelConfig(max_size=label_size, max_gb=cache_gb)
        footage = label(tracker, sources, first_masks, cache or out / "labels", config, relabel)
        notes(
            [f"skipped {line}" for line in photos.skipped] if photos else [],
            rest="not usable either",
            most=20,
        )
        hush_fabric()
        average = distill(
            network, tracker, settings, training, out, photos, footage, device=device, processes=processes,
            resume=resume, score=judge,
        )  # fmt: skip
    digest = finish_run(average, training, out)
    if digest is not None:
        say(f"{out / 'weights.safetensors'} (sha256 {digest})")


def with_strides(videos: list[str], strides: list[int]) -> list[tuple[str, int]]:
    """Each source of footage with its stride. Raises DataError when their numbers do not fit."""
    if len(strides) == 1:
        strides = strides * len(videos)
    if len(strides) != len(videos):
        raise DataError(
            f"--label-stride came {len(strides)} times for {len(videos)} --videos; give it once, or once for each"
        )
    return list(zip(videos, strides, strict=True))


def label(
    teacher: Tracker,
    videos: list[tuple[str, int]],
    first_masks: Path | None,
    cache: Path,
    config: LabelConfig,
    relabel: bool,
) -> list[VideoSet]:
    """Let the teacher label each source of footage, in a folder of its own below ``cache``, and tell how it went."""
    from limpet.data.footage import find_first_mask, find_footage
    from limpet.distillation.label_footage import label_footage

    sources = [find_footage(text) for text, _ in videos]
    names = [source.root.resolve().name for source in sources]
    folders = []
    for number, (source, name) in enumerate(zip(sources, names, strict=True)):
        place = cache / (name if names.count(name) == 1 else f"{name}-{number}")
        with FrameProgress(name) as progress:
            said = {"clip": ""}

            def on_clip(clip: str, index: int, count: int, said: dict[str, str] = said) -> None:
                said["clip"] = f"{clip} ({index + 1} of {count})"

            def on_frame(done: int, total: int | None, said: dict[str, str] = said) -> None:
                progress(done, total, said["clip"])

            settings = replace(config, stride=videos[number][1])
            # one folder of masks serves all sources: that it has none for this one is no mistake
            mine = len(sources) == 1 or any(find_first_mask(clip, first_masks) for clip in source.clips)
            masks = first_masks if mine else None
            result = label_footage(
                teacher, source, masks, place, settings, on_clip=on_clip, on_frame=on_frame, relabel=relabel
            )
        notes([f"skipped {line}" for line in result.skipped], rest="not labelled either", most=20)
        notes(list(result.notices), rest=f"see {place / 'labels.json'}", most=20)
        frames = sum(clip.frames for clip in result.clips)
        say(f"{len(result.clips)} clips of {name}, {frames} frames labelled by the teacher -> {place}")
        folders.append(result.folder)
    return folders


def distillation_config(
    logits: str,
    attention: str,
    attention_weight: float,
    temperature: float,
    label_weight: float,
    maps: list[str],
    labels: str,
) -> DistillationConfig:
    """What the student is compared in, from the options. Raises DataError."""
    from limpet.distillation.config import DistillationConfig, DistillationLossConfig, map_pair

    loss = DistillationLossConfig(logits, attention, attention_weight, temperature)  # type: ignore[arg-type]
    pairs = tuple(map_pair(text) for text in maps or ["-1:-1"])
    return DistillationConfig(loss, label_weight, pairs, labels=labels)  # type: ignore[arg-type]
