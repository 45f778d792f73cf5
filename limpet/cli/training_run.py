"""What the commands that train do before and around the loop."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limpet.errors import DataError, ModelError
from limpet.files import output_error

if TYPE_CHECKING:
    from limpet.training.config import TrainConfig

PRECISIONS = ("bf16-mixed", "32-true")


def root_and_split(text: str) -> tuple[Path, str]:
    """``ROOT:SPLIT`` -> both parts. Raises DataError when a part is missing."""
    root, colon, split = text.rpartition(":")
    if not colon or not root or not split:
        raise DataError(f"{text!r} names no split; expected ROOT:SPLIT, for instance DAVIS:train")
    return Path(root), split


def training_config(model: str, options: Mapping[str, Any]) -> TrainConfig:
    """What a command trains, from its options by name; see limpet/cli/train_options.py. Raises DataError."""
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
