"""``limpet.evaluate``: the scores of a tracker, or of saved masks, on a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from limpet.core.tracker_protocol import AnyTracker
from limpet.data import evaluation_videos
from limpet.evaluation.evaluate_videos import OnFrame, evaluate_predictions, evaluate_tracker
from limpet.evaluation.scores import Scores


def evaluate(
    tracker: AnyTracker[Any] | str | Path,
    root: str | Path,
    split: str,
    *,
    resolution: str = "480p",
    save_masks: str | Path | None = None,
    on_frame: OnFrame | None = None,
) -> Scores:
    """Measure J and F on a data set in DAVIS layout, by the semi-supervised protocol of DAVIS.

    The mask of the first frame is given; the first and the last frame are not scored.

    >>> import limpet
    >>> scores = limpet.evaluate(limpet.load(), "DAVIS", "2017/val")  # doctest: +SKIP
    >>> scores.j_and_f  # doctest: +SKIP
    0.71

    Args:
        tracker: from ``limpet.load``, or anything with its ``start`` and ``step``; or a folder of masks that were saved
            before, SEQUENCE/FRAME.png.
        root: folder with JPEGImages, Annotations and ImageSets.
        split: a list in ImageSets ("val", "2017/val"), "all", or the name of one sequence.
        resolution: folder in JPEGImages: "480p", "Full-Resolution".
        save_masks: folder for the masks of the tracker.
        on_frame: called after each frame, for progress.

    Raises:
        DataError: a data set, or a folder of masks, that is missing or incomplete.
    """
    dataset = evaluation_videos(Path(root), split, resolution)
    if isinstance(tracker, str | Path):
        return evaluate_predictions(tracker, dataset, on_frame=on_frame)
    folder = None if save_masks is None else Path(save_masks)
    return evaluate_tracker(tracker, dataset, save_masks=folder, on_frame=on_frame)
