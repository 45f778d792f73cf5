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
from limpet.distillation.distill_student import check_models
from limpet.distillation.distill_student import distill as train_student
from limpet.distillation.label_clip import LabelConfig
from limpet.distillation.label_footage import LabelResult, label_footage
from limpet.tracking.load import load
from limpet.tracking.tracker import Tracker
from limpet.training.checkpoint import resumed_config
from limpet.training.config import TrainConfig
from limpet.training.setup import build_training_model, check_clip_size, finish_run
from limpet.training.train_model import (
    OnNotices,
    TrainResult,
    check_run_folder,
    make_run_folder,
    quiet_lightning,
    scorer,
    training_set,
)
from limpet.weights.zoo import find_weights

TEACHER = "deaot-l"
STUDENT = "deaot-nano"
MASK_LOSS = {"attention": "ce_jaccard", "mobilevos": "poly_ce"}
"""The loss on masks that each method has in its paper, which is its default."""
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
    labelled: Sequence[str] = (),
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
    """Distil a small tracker from a large one.

    The teacher tracks the objects of the first mask of each clip; the student learns to do the same, without labels.
    With the method "mobilevos" it also learns the masks of the clips: true ones of ``labelled`` and ``stills``, the
    teacher's of ``videos``.

    >>> import limpet
    >>> training = limpet.TrainConfig(model="deaot-nano", steps=4000)
    >>> limpet.distill("runs/mine", ["footage/"], training=training)  # doctest: +SKIP

    Args:
        out: folder of the run.
        videos: footage: folders of clips or of frames, or data sets as ``ROOT:SPLIT``.
        teacher: from ``limpet.load``, or the name of a model. teacher_weights: its weights; None takes those in the
            package.
        training: the settings of the training; its ``model`` is the student. None trains STUDENT with the defaults and
            the method's own loss on masks (``MASK_LOSS``).
        config: what of the teacher the student learns; None takes the defaults.
        labelling: how the teacher labels the footage; None takes the defaults.
        strides: keep every n-th frame of the footage: one number for all, or one for each of ``videos``.
        first_masks: masks of the first frames, CLIP.png or CLIP/FRAME.png; for clips without one, objects are proposed.
        labelled: data sets with masks that count, as ``ROOT:SPLIT``, for the method "mobilevos".
        stills: folder of photos with masks, for synthetic clips.
        cache: folder for the labels; None is ``labels`` in ``out``. relabel: replace labels of another teacher there.
        encoder, start, score, device, processes, threads, resume, given, on_notices: as for ``limpet.train``.
        on_label_frame, on_labelled: called while the footage is labelled.

    Raises:
        DataError: no footage, or settings that do not fit the run that is resumed.
        ModelError: the method cannot compare the two models. WeightsError, OutputError, MissingExtraError: each says
            what to do.
    """
    out, config = Path(out), config or DistillationConfig()
    training = training or TrainConfig(model=STUDENT, mask_loss=MASK_LOSS[config.method])
    labelling = labelling or LabelConfig()
    _check_data(None if resume else config.method, stills, videos, labelled)
    check_run_folder(out, resume)
    footage = _find_footage(videos, strides)
    sets = [training_set(text) for text in labelled]
    if resume:
        training = resumed_config(training, out, given)
    if threads:
        torch.set_num_threads(threads)
    if isinstance(teacher, str):
        path = find_weights(teacher, teacher_weights, "teacher_weights")
        teacher = load(teacher, weights=path, device=device, max_size=labelling.max_size)
    settings = DistillationRecord(teacher.name, teacher.weights_sha256, training.model, config)
    check_clip_size(training)
    student = build_training_model(training.model, encoder, start, training.clips.seed, training.flow)
    if not resume:  # what is resumed has settings of its own, and is checked with them
        check_models(student, teacher.model, settings)
    photos = None if stills is None else StillsFolder(Path(stills))
    judge = scorer(score)
    make_run_folder(out)
    settings = record(settings, out, resume, given)  # before hours of labelling
    if on_notices:
        on_notices(
            [f"skipped {line}" for each in (photos, *sets) if each is not None for line in each.skipped]
        )
    labels = Path(cache) if cache is not None else out / "labels"
    masks = None if first_masks is None else Path(first_masks)
    taught = _label(teacher, footage, masks, labels, labelling, relabel, on_label_frame, on_labelled)
    quiet_lightning()
    average = train_student(
        student, teacher, settings, training, out, photos, [*taught, *sets], device=device, processes=processes,
        resume=resume, score=judge,
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


def _check_data(
    method: str | None, stills: str | Path | None, videos: Sequence[str], labelled: Sequence[str]
) -> None:
    """Raises DataError where there is nothing to learn from, or masks that the method does not look at."""
    if stills is None and not videos and not labelled:
        raise DataError(
            "there is nothing to learn from; give ", Option("videos", "DIR"), ", ", Option("stills", "DIR"), ", or both"
        )  # fmt: skip
    if labelled and method == "attention":
        raise DataError(
            "the method 'attention' looks at no mask but a clip's first, so that labels would do nothing; give ",
            Option("videos", labelled[0]),
            " instead of ",
            Option("labelled", labelled[0]),
            ", or use ",
            Option("method", "mobilevos"),
        )


def _find_footage(videos: Sequence[str], strides: Sequence[int]) -> list[tuple[Footage, int]]:
    """Each source of footage with its stride. Raises DataError."""
    if len(strides) == 1:
        strides = list(strides) * len(videos)
    if len(strides) != len(videos):
        raise DataError(
            f"there are {len(strides)} strides for {len(videos)} sources of footage; give one for all, or one for each"
        )
    return list(zip(map(find_footage, videos), strides, strict=True))
