"""``limpet.distill``: from a teacher and unlabelled footage to a folder with the weights of a small tracker."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from limpet.core.errors import DataError, Option
from limpet.data import StillsFolder, VideoSet
from limpet.data.footage import Footage, find_first_mask, find_footage
from limpet.distillation.config import DistillationConfig, DistillationRecord, record
from limpet.distillation.distill_student import distill as train_student
from limpet.distillation.label_clip import LabelConfig
from limpet.distillation.label_footage import LabelResult, label_footage
from limpet.tracking.load import load
from limpet.tracking.tracker import Tracker
from limpet.training.checkpoint import resumed_config
from limpet.training.config import TrainConfig
from limpet.training.setup import build_training_model, finish_run
from limpet.training.train_model import (
    OnNotices,
    TrainResult,
    check_run_folder,
    make_run_folder,
    quiet_lightning,
    scorer,
)

TEACHER = "deaot-t-deformable"
STUDENT = "deaot-nano"
OnLabelFrame = Callable[[str, int, int | None], None]
"""Called with the clip ("swing (2 of 7)"), the number of its frames that are labelled, and of all if it is known."""
OnLabelled = Callable[[str, LabelResult], None]
"""Called with the name of a source of footage when all of its clips are labelled."""


def distill(
    out: str | Path,
    videos: Sequence[str] = (),
    *,
    teacher: Tracker | str = TEACHER,
    teacher_weights: str | Path | None = None,
    training: TrainConfig | None = None,
    config: DistillationConfig | None = None,
    labelling: LabelConfig | None = None,
    strides: Sequence[int] = (1,),
    first_masks: str | Path | None = None,
    stills: str | Path | None = None,
    cache: str | Path | None = None,
    relabel: bool = False,
    encoder: str | Path | None = None,
    start: str | Path | None = None,
    score: str | None = None,
    device: str = "auto",
    processes: int = 1,
    threads: int = 0,
    resume: bool = False,
    given: Collection[str] | None = None,
    on_notices: OnNotices | None = None,
    on_label_frame: OnLabelFrame | None = None,
    on_labelled: OnLabelled | None = None,
) -> TrainResult:
    """Distil a small tracker from a large one, without labels.

    The teacher tracks the objects of the first mask of each clip; the student learns to do the same.

    >>> import limpet
    >>> training = limpet.TrainConfig(model="deaot-nano", steps=4000)
    >>> limpet.distill("runs/mine", ["footage/"], training=training)  # doctest: +SKIP

    Args:
        out: folder of the run.
        videos: footage: folders of clips or of frames, or data sets as ``ROOT:SPLIT``.
        teacher: from ``limpet.load``, or the name of a model. teacher_weights: its weights; None takes those in the
            package.
        training: the settings of the training; its ``model`` is the student. None trains STUDENT with the defaults.
        config: what of the teacher the student learns; None takes the defaults.
        labelling: how the teacher labels the footage; None takes the defaults.
        strides: keep every n-th frame of the footage: one number for all, or one for each of ``videos``.
        first_masks: masks of the first frames, CLIP.png or CLIP/FRAME.png; for clips without one, objects are proposed.
        stills: folder of photos with masks, for synthetic clips.
        cache: folder for the labels; None is ``labels`` in ``out``. relabel: replace labels of another teacher there.
        encoder, start, score, device, processes, threads, resume, given, on_notices: as for ``limpet.train``.
        on_label_frame, on_labelled: called while the footage is labelled.

    Raises:
        DataError: no footage, or settings that do not fit the run that is resumed.
        ModelError, WeightsError, OutputError, MissingExtraError: each says what to do.
    """
    out = Path(out)
    training = training or TrainConfig(model=STUDENT)
    labelling = labelling or LabelConfig()
    if stills is None and not videos:
        raise DataError(
            "there is nothing to learn from; give ", Option("videos", "DIR"), ", ", Option("stills", "DIR"), ", or both"
        )  # fmt: skip
    check_run_folder(out, resume)
    footage = _find_footage(videos, strides)
    if resume:
        training = resumed_config(training, out, given)
    if threads:
        torch.set_num_threads(threads)
    if isinstance(teacher, str):
        teacher = load(teacher, weights=teacher_weights, device=device, max_size=labelling.max_size)
    settings = DistillationRecord(
        teacher.name, teacher.weights_sha256, training.model, config or DistillationConfig()
    )
    student = build_training_model(training.model, encoder, start, training.clips.seed)
    photos = None if stills is None else StillsFolder(Path(stills))
    judge = scorer(score)
    make_run_folder(out)
    settings = record(settings, out, resume, given)  # before hours of labelling
    if photos is not None and on_notices:
        on_notices([f"skipped {line}" for line in photos.skipped])
    labels = Path(cache) if cache is not None else out / "labels"
    masks = None if first_masks is None else Path(first_masks)
    labelled = _label(teacher, footage, masks, labels, labelling, relabel, on_label_frame, on_labelled)
    quiet_lightning()
    average = train_student(
        student, teacher, settings, training, out, photos, labelled, device=device, processes=processes, resume=resume,
        score=judge,
    )  # fmt: skip
    return TrainResult(out, out / "weights.safetensors", finish_run(average, training, out))


def _label(
    teacher: Tracker,
    footage: Sequence[tuple[Footage, int]],
    first_masks: Path | None,
    cache: Path,
    config: LabelConfig,
    relabel: bool,
    on_label_frame: OnLabelFrame | None,
    on_labelled: OnLabelled | None,
) -> list[VideoSet]:
    """Let the teacher label each source of footage, in a folder of its own in ``cache``."""
    names = [each.root.resolve().name for each, _ in footage]
    folders = []
    for number, ((each, stride), name) in enumerate(zip(footage, names, strict=True)):
        clip_now = [""]

        def on_clip(clip: str, index: int, count: int, now: list[str] = clip_now) -> None:
            now[0] = f"{clip} ({index + 1} of {count})"

        def on_frame(done: int, total: int | None, now: list[str] = clip_now) -> None:
            if on_label_frame:
                on_label_frame(now[0], done, total)

        # One folder of masks serves all sources: that it has none for this one is not a mistake.
        has_masks = len(footage) == 1 or any(find_first_mask(clip, first_masks) for clip in each.clips)
        result = label_footage(
            teacher,
            each,
            first_masks if has_masks else None,
            cache / (name if names.count(name) == 1 else f"{name}-{number}"),
            replace(config, stride=stride),
            on_clip=on_clip,
            on_frame=on_frame,
            relabel=relabel,
        )
        if on_labelled:
            on_labelled(name, result)
        folders.append(result.folder)
    return folders


def _find_footage(videos: Sequence[str], strides: Sequence[int]) -> list[tuple[Footage, int]]:
    """Each source of footage with its stride. Raises DataError."""
    if len(strides) == 1:
        strides = list(strides) * len(videos)
    if len(strides) != len(videos):
        raise DataError(
            f"there are {len(strides)} strides for {len(videos)} sources of footage; give one for all, or one for each"
        )
    return list(zip(map(find_footage, videos), strides, strict=True))
