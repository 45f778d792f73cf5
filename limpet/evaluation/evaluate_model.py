"""``limpet.evaluate``: the scores of a tracker, or of saved masks, on a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from limpet.core.errors import DataError
from limpet.core.tracker_protocol import AnyTracker
from limpet.evaluation.evaluate_videos import OnFrame, evaluate_predictions, evaluate_tracker
from limpet.evaluation.protocols.evaluation_protocol import ProtocolOptions
from limpet.evaluation.protocols.known_protocols import open_protocol
from limpet.evaluation.scores import Scores


def evaluate(
    tracker: AnyTracker[Any] | str | Path,
    root: str | Path,
    split: str | None = None,
    *,
    protocol: str = "davis",
    resolution: str = "480p",
    save_masks: str | Path | None = None,
    on_frame: OnFrame | None = None,
) -> Scores:
    """Measure J and F, and HOTA for BURST, by a benchmark's own protocol; docs/evaluation.md has the rules of each.

    ``limpet eval`` does the same with a folder that can be resumed, several processes, and submissions.

    >>> import limpet
    >>> scores = limpet.evaluate(limpet.load(), "DAVIS", "2017/val")  # doctest: +SKIP
    >>> scores.j_and_f  # doctest: +SKIP
    0.71

    Args:
        tracker: from ``limpet.load``, or anything with its ``start``, ``step`` and ``add``; or a folder of masks that
            were saved before, SEQUENCE/FRAME.png.
        root: folder of the data set.
        split: as the data set names it: a list in ImageSets of DAVIS ("2017/val"), a folder of YouTube-VOS ("valid"),
            or the name of one video where the layout allows it; None takes the one that papers report.
        protocol: "davis", "youtube-vos", "mose", "lvos", "sa-v" or "burst".
        resolution: of DAVIS: the folder in JPEGImages, "480p" or "Full-Resolution".
        save_masks: folder for the masks of the tracker.
        on_frame: called after each frame, for progress.

    Raises:
        DataError: a data set, or a folder of masks, that is missing or incomplete; or labels that are withheld.
    """
    rules = open_protocol(protocol, root, split, ProtocolOptions(resolution))
    tasks = [rules.task(name) for name in rules.names()]
    if not any(task.labelled for task in tasks):
        raise DataError(
            f"the labels of {rules.label} are withheld, so that there are no scores; limpet eval {protocol} writes the "
            "submission for its server"
        )
    if isinstance(tracker, str | Path):
        return evaluate_predictions(tracker, tasks, on_frame=on_frame)
    folder = None if save_masks is None else Path(save_masks)
    return evaluate_tracker(tracker, tasks, save_masks=folder, on_frame=on_frame)
