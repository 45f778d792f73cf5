"""From footage to labels: a teacher tracks each clip from its first mask, and its masks are kept on disk.

Of a labelled clip only the mask of its first frame is read; all labels are the teacher's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from limpet.core.errors import DataError, MaskError, VideoError
from limpet.data import VideoSet, training_videos
from limpet.data.footage import Footage, find_first_mask
from limpet.distillation.label_cache import SPLIT, LabelCache, LabelledClip
from limpet.distillation.label_clip import PROPOSAL, LabelConfig, LabelPlan, OnFrame, label_clip
from limpet.project.video_reference import fingerprint
from limpet.tracking.tracker import Tracker

OnClip = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LabelResult:
    """What ``label_footage`` did.

    folder: the labels, as training reads them.
    clips: all labelled clips of the footage, those of earlier runs too.
    skipped: one line for every clip without labels, and for what was no clip: its name and why.
    notices: what else to know: labels that end early, masks that were proposed, frames that could not be read.
    """

    folder: VideoSet
    clips: tuple[LabelledClip, ...]
    skipped: tuple[str, ...]
    notices: tuple[str, ...]


def label_footage(
    tracker: Tracker,
    footage: Footage,
    first_masks: Path | None,
    cache: Path,
    config: LabelConfig = LabelConfig(),  # noqa: B008 - it is frozen
    *,
    on_clip: OnClip | None = None,
    on_frame: OnFrame | None = None,
    relabel: bool = False,
) -> LabelResult:
    """Let the teacher track each clip from its first mask, and keep frames and masks in DAVIS layout.

    Clips that an earlier run finished are not tracked again. What goes wrong with one clip is reported, and the others
    are labelled nevertheless.

    Args:
        tracker: the teacher.
        footage: from ``find_footage``.
        first_masks: see ``find_first_mask``; objects of clips without one are proposed.
        cache: folder for JPEGImages/, Annotations/ and labels.json. Ids in it are 1..N; masks are indexed PNGs.
        on_clip: called before each clip with its name, its number from 0, and how many there are.
        on_frame: called after each frame with the frames done and, if known, the frames to come in all.
        relabel: make labels anew where teacher, settings, footage or first masks changed.

    Raises:
        DataError: no clip could be labelled, or no first mask fits any clip.
        OutputError: the cache cannot be written (what is done is kept), or its labels were made otherwise.
    """
    plans, skipped = _plan(footage, first_masks)
    store = LabelCache(cache, _made_with(tracker, config), relabel)
    store.check({plan.clip.name: plan.identity() for plan in plans})
    notices: list[str] = []
    for number, plan in enumerate(plans):
        if on_clip is not None:
            on_clip(plan.clip.name, number, len(plans))
        if plan.clip.name in store.clips:
            continue
        try:
            notices += label_clip(tracker, plan, store, config, on_frame)
        except (VideoError, MaskError, DataError) as error:
            skipped.append(f"{plan.clip.name}: {error}")
    return _result(store, plans, [*footage.skipped, *skipped], notices)


def _plan(footage: Footage, first_masks: Path | None) -> tuple[list[LabelPlan], list[str]]:
    plans, skipped = [], []
    for clip in footage.clips:
        try:
            mask = find_first_mask(clip, first_masks)
            digest = hashlib.sha256(mask.read_bytes()).hexdigest() if mask else ""
            plans.append(LabelPlan(clip, *fingerprint(clip.source), mask, digest))
        except (OSError, VideoError) as error:
            skipped.append(f"{clip.name}: {error}")
    if first_masks is not None and plans and all(plan.mask is None for plan in plans):
        name = plans[0].clip.name
        raise DataError(
            f"{first_masks} holds no first mask of any of the {len(plans)} clips; expected {name}.png, "
            f"{name}_mask.png or {name}/00000.png for the clip {name}, and so on"
        )
    return plans, skipped


def _made_with(tracker: Tracker, config: LabelConfig) -> dict[str, Any]:
    """All that the labels of every clip depend on."""
    policy = tracker.memory
    teacher = {
        "name": tracker.name,
        "weights_sha256": tracker.weights_sha256,
        "precision": str(tracker.model.dtype).removeprefix("torch."),
        "sizes": asdict(tracker.sizes),
        "memory": [policy.name, policy.gap, policy.max_frames, policy.max_bytes],
        "augmentation": str(getattr(tracker, "augmentation", "")),
    }
    settings = asdict(config)
    del settings["max_gb"]  # it decides which clips are labelled, not how
    settings["lost"] = {"confidence": config.lost.confidence, "frames": config.lost.frames}
    return {"teacher": teacher, "settings": settings}


def _result(store: LabelCache, plans: list[LabelPlan], skipped: list[str], notices: list[str]) -> LabelResult:
    here = [store.clips[plan.clip.name] for plan in plans if plan.clip.name in store.clips]
    skipped += [f"{clip.name}: {clip.ended}" for clip in here if not clip.frames]
    labelled = tuple(clip for clip in here if clip.frames)
    if not labelled:
        shown = "; ".join(skipped[:3]) + (f"; and {len(skipped) - 3} more" if len(skipped) > 3 else "")
        raise DataError(f"none of the {len(plans)} clips could be labelled: {shown}")
    for clip in labelled:
        if clip.ended:
            notices.append(f"{clip.name}: labels end after {clip.frames} frames: {clip.ended}")
        if clip.first_mask == PROPOSAL:
            what = "one object" if clip.objects == 1 else f"{clip.objects} objects"
            notices.append(f"{clip.name}: no first mask; {what} proposed in frame {clip.first_frame}")
    others = len(set(store.clips) - {plan.clip.name for plan in plans})
    if others:
        notices.append(
            f"{store.path} also holds {others} clips that are not in this footage; they are not used"
        )
    store.list_clips([clip.name for clip in labelled])
    return LabelResult(training_videos(store.path, SPLIT), labelled, tuple(skipped), tuple(notices))
