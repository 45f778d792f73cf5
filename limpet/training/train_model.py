"""``limpet.train``: one stage of training, from data on disk to a folder with the trained weights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from limpet.core.errors import DataError, Option
from limpet.core.files import output_error
from limpet.data import StillsFolder, VideoSet, training_videos
from limpet.data.video_mixture import split_sampling
from limpet.tracking.load import choose_device
from limpet.training.checkpoint import CHECKPOINT, resumed_config
from limpet.training.config import TrainConfig
from limpet.training.loop import Score
from limpet.training.loop import train as run_loop
from limpet.training.setup import build_training_model, check_clip_size, davis_score, finish_run

VIDEOS = Option("videos", "ROOT:SPLIT", "video")
OnNotices = Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class TrainResult:
    """What ``limpet.train`` and ``limpet.distill`` leave behind.

    >>> result = TrainResult(Path("runs/first"), Path("runs/first/weights.safetensors"), sha256="7eab8b57")
    >>> limpet.load(weights=result.weights)  # doctest: +SKIP

    folder: of the run: checkpoint, log, curves, weights.
    weights: the file of the averaged weights, which ``limpet.load`` takes.
    sha256: of that file; None in the further processes of a run on several devices, which write nothing.
    """

    folder: Path
    weights: Path
    sha256: str | None


def train(
    out: str | Path,
    config: TrainConfig | None = None,
    *,
    stills: str | Path | None = None,
    videos: Sequence[str] = (),
    encoder: str | Path | None = None,
    start: str | Path | None = None,
    score: str | None = None,
    device: str = "auto",
    processes: int = 1,
    threads: int = 0,
    resume: bool = False,
    given: Collection[str] | None = None,
    on_notices: OnNotices | None = None,
) -> TrainResult:
    """Train a model on photos, videos, or both.

    >>> import limpet
    >>> from limpet import ClipConfig, TrainConfig
    >>> config = TrainConfig(model="deaot-nano", steps=2000, clips=ClipConfig(size=257, frames=3))
    >>> limpet.train("runs/first", config, videos=["DAVIS:2017/train"])  # doctest: +SKIP

    Args:
        out: folder of the run.
        config: the settings; None takes the defaults.
        stills: folder of photos with masks, ``images/`` and ``masks/``.
        videos: data sets with masks, as ``ROOT:SPLIT``, perhaps with ``,repeat=A-B,importance=T,merge=P`` behind it:
            see ``limpet.data.video_mixture``.
        encoder: weights of the encoder to start from: ImageNet's, or a model's, whose encoder is taken.
        start: weights of an earlier stage to start from.
        score: a small data set, ``ROOT:SPLIT``, to score every ``config.score_every`` steps.
        device: "auto", "cpu" or "cuda". processes: number of devices to train on.
        threads: CPU threads; 0 leaves the choice to torch.
        resume: continue the run in ``out``.
        given: names of the settings of ``config`` that were chosen on purpose; None: all of them. A run that is resumed
            refuses those that differ from its own and are fixed.
        on_notices: called with what was left out of the data, one line each, before the training.

    Raises:
        DataError: no data, a folder that holds another run, or settings that do not fit the run that is resumed.
        ModelError, WeightsError, OutputError, MissingExtraError: each says what to do.
    """
    out, config = Path(out), config or TrainConfig()
    if stills is None and not videos:
        raise DataError(
            "there is nothing to train on; give ", Option("stills", "DIR"), ", ", VIDEOS, ", or both"
        )
    check_run_folder(out, resume)
    choose_device(device)
    if resume:
        config = resumed_config(config, out, given)
    check_clip_size(config)
    if threads:
        torch.set_num_threads(threads)
    photos = None if stills is None else StillsFolder(Path(stills))
    sets = [training_set(text) for text in videos]
    if on_notices:
        on_notices(
            [f"skipped {line}" for each in (photos, *sets) if each is not None for line in each.skipped]
        )
    model = build_training_model(config.model, encoder, start, config.clips.seed, config.flow)
    judge = scorer(score)
    make_run_folder(out)
    quiet_lightning()
    average = run_loop(
        model, config, out, photos, sets, device=device, processes=processes, resume=resume, score=judge
    )  # fmt: skip
    return TrainResult(out, out / "weights.safetensors", finish_run(average, config, out))


def training_set(text: str) -> VideoSet:
    """The data set ``ROOT:SPLIT``, with what is behind it (``repeat``, ``importance``, ``merge``). Raises DataError."""
    rest, sampling = split_sampling(text)
    return replace(training_videos(*root_and_split(rest)), sampling=sampling)


def root_and_split(text: str) -> tuple[Path, str]:
    """``ROOT:SPLIT`` -> both parts. Raises DataError when a part is missing."""
    root, colon, split = text.rpartition(":")
    if not colon or not root or not split:
        raise DataError(f"{text!r} names no split; expected ROOT:SPLIT, for instance DAVIS:2017/train")
    return Path(root), split


def scorer(text: str | None) -> Score | None:
    """What scores the averaged model on the data set ``ROOT:SPLIT``. Raises DataError."""
    return None if text is None else davis_score(*root_and_split(text))


def check_run_folder(out: Path, resume: bool) -> None:
    """Raises DataError where a run would overwrite another, or where there is none to resume."""
    checkpoint = out / CHECKPOINT
    if checkpoint.exists() and not resume:
        raise DataError(
            f"{out} holds a run already; continue it with ", Option("resume"), ", or choose another folder"
        )
    if resume and not checkpoint.exists():
        raise DataError(f"there is no checkpoint in {out} to resume from; start without ", Option("resume"))


def make_run_folder(out: Path) -> None:
    """Make the folder of a run. Raises OutputError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, out) from error


def quiet_lightning() -> None:
    """Keep Lightning from repeating what was asked for ("Using bfloat16 …")."""
    for part in ("fabric", "pytorch"):
        logging.getLogger(f"lightning.{part}.utilities.rank_zero").setLevel(logging.WARNING)
