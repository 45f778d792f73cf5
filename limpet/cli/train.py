"""``limpet train``: one stage of training from photos, videos, or both."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console(stderr=True)


def train_command(
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoint, log, curves, weights.")],
    model: Annotated[str, typer.Option(help="Name of the model, see `limpet models`.")] = "deaot-t",
    stills: Annotated[Path | None, typer.Option(help="Folder with images/ and masks/.")] = None,
    video: Annotated[
        list[str] | None, typer.Option(help="A folder in DAVIS layout, as ROOT:SPLIT; may be repeated.")
    ] = None,
    encoder: Annotated[Path | None, typer.Option(help="ImageNet weights of the encoder (safetensors).")] = None,
    start: Annotated[Path | None, typer.Option("--from", help="Weights of an earlier stage.")] = None,
    steps: Annotated[int, typer.Option(min=1)] = 20_000,
    batch: Annotated[int, typer.Option(min=1, help="Clips a step and process.")] = 4,
    frames: Annotated[int, typer.Option(min=2, help="Frames a clip.")] = 5,
    size: Annotated[int, typer.Option(help="Side of the clips in pixels, 16k + 1.")] = 465,
    video_share: Annotated[tuple[float, float], typer.Option(help="Share of video at start and end.")] = (0.5, 0.5),
    max_gap: Annotated[tuple[int, int], typer.Option(help="Largest step in frames at start and end.")] = (2, 6),
    learning_rate: Annotated[float, typer.Option()] = 2e-4,
    smallest_rate: Annotated[float, typer.Option()] = 2e-5,
    weight_decay: Annotated[float, typer.Option()] = 0.07,
    own_predictions_from: Annotated[float, typer.Option(help="Progress, 0 to 1.")] = 0.5,
    reference_until: Annotated[float, typer.Option(help="Progress, 0 to 1.")] = 1.0,
    frozen_stages: Annotated[int, typer.Option(help="Encoder stages that do not learn.")] = 2,
    precision: Annotated[str, typer.Option(help="bf16-mixed or 32-true.")] = "bf16-mixed",
    checkpointing: Annotated[bool, typer.Option(help="Less memory, more time.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    processes: Annotated[int, typer.Option(min=1, help="Devices to train on.")] = 1,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 leaves them as they are.")] = 0,
    seed: Annotated[int, typer.Option()] = 0,
    save_every: Annotated[int, typer.Option()] = 500,
    score: Annotated[str | None, typer.Option(help="ROOT:SPLIT to score now and then, in DAVIS layout.")] = None,
    score_every: Annotated[int, typer.Option(help="Steps between scores.")] = 2000,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's checkpoint.")] = False,
) -> None:
    """Train a model for one stage; the averaged weights are written to OUT/weights.safetensors."""
    import torch

    from limpet.data import ClipConfig, DavisFolder, StillsFolder
    from limpet.errors import DataError
    from limpet.training.config import TrainConfig
    from limpet.training.loop import train
    from limpet.training.setup import build_model, davis_score, finish_run

    if threads:
        torch.set_num_threads(threads)
    if stills is None and not video:
        raise DataError("there is nothing to train on; give --stills FOLDER, --video ROOT:SPLIT, or both")
    if (out / "checkpoint.safetensors").exists() and not resume:
        raise DataError(f"{out} holds a run already; go on with --resume, or choose another folder")
    config = TrainConfig(
        model=model, steps=steps, learning_rate=learning_rate, smallest_rate=smallest_rate,
        weight_decay=weight_decay, frozen_stages=frozen_stages, own_predictions_from=own_predictions_from,
        reference_until=reference_until, precision=precision, checkpointing=checkpointing,
        save_every=save_every, score_every=score_every if score else 0,
        clips=ClipConfig(
            frames=frames, size=size, batch=batch, seed=seed, video_share=video_share, max_gap=max_gap
        ),
    )  # fmt: skip
    photos = StillsFolder(stills) if stills else None
    videos = [DavisFolder(*root_and_split(text)) for text in video or []]
    for line in [*(photos.skipped if photos else []), *(line for folder in videos for line in folder.skipped)]:
        console.print(f"skipped {line}", style="yellow")
    average = train(
        build_model(model, encoder, start), config, out, photos, videos, device=device, processes=processes,
        resume=resume, score=davis_score(*root_and_split(score)) if score else None,
    )  # fmt: skip
    digest = finish_run(average, config, out)
    console.print(f"weights: {out / 'weights.safetensors'} (sha256 {digest[:12]}…)")


def root_and_split(text: str) -> tuple[Path, str]:
    """``ROOT:SPLIT`` -> both parts. Raises DataError when a part is missing."""
    from limpet.errors import DataError

    root, colon, split = text.rpartition(":")
    if not colon or not root or not split:
        raise DataError(f"{text!r} names no split; expected ROOT:SPLIT, for instance DAVIS:train")
    return Path(root), split
