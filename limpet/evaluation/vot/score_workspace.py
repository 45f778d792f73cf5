"""Our own measures of the results in a workspace of VOT's toolkit. They are not official."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from limpet.core.errors import DataError
from limpet.evaluation.vot.multistart import AnchoredRuns, MultistartScore, multistart_score
from limpet.evaluation.vot.overlaps import RunOverlaps, run_overlaps
from limpet.evaluation.vot.quality import QualityScore, average_overlap, quality_score
from limpet.evaluation.vot.stacks import VotExperiment
from limpet.evaluation.vot.vot_files import Regions, VotSequence, read_run, read_sequences
from limpet.evaluation.vot.workspace import stack_of

RESULTS = "results"


@dataclass(frozen=True)
class OverlapScore:
    """Of an unsupervised experiment with single objects: mean overlap, the first frame left out."""

    accuracy: float


VotScore = MultistartScore | QualityScore | OverlapScore


@dataclass(frozen=True)
class VotResult:
    """The measures of one tracker in one experiment.

    score: None where results are missing. missing: how many of the ``runs`` are.
    """

    tracker: str
    experiment: str
    score: VotScore | None
    runs: int
    missing: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def score_workspace(workspace: Path, trackers: Sequence[str] = ()) -> list[VotResult]:
    """The measures of all results, experiment by experiment; a tracker that was not run in one has none there.

    Args:
        trackers: names; none takes all that have results.

    Raises:
        DataError: it is no workspace of a known stack, results are missing or damaged, or they are not masks.
    """
    stack, interval = stack_of(workspace)
    names = list(trackers) or _trackers(workspace)
    sequences = read_sequences(workspace)
    found = []
    for experiment, facts in stack.experiments.items():
        for name in names:
            folder = workspace / RESULTS / name / experiment
            if folder.is_dir():
                found.append(_score(name, experiment, facts, folder, sequences, stack.multiobject, interval))
    if not found:
        raise DataError(
            f"{workspace} has no results{' of ' + ', '.join(trackers) if trackers else ''}; make them with: "
            f"vot evaluate --workspace {workspace} TRACKER"
        )
    return found


def _trackers(workspace: Path) -> list[str]:
    folder = workspace / RESULTS
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _score(
    tracker: str,
    name: str,
    experiment: VotExperiment,
    folder: Path,
    sequences: Sequence[VotSequence],
    multiobject: bool,
    interval: tuple[int, int],
) -> VotResult:
    make = _anchored if experiment.kind == "multistart" else _whole
    runs = [list(make(folder / sequence.name, sequence)) for sequence in sequences]
    every = [run for of_sequence in runs for run in of_sequence]
    missing = sum(run is None for run in every)
    if missing:
        return VotResult(tracker, name, None, len(every), missing)
    known = [[run for run in of_sequence if run is not None] for of_sequence in runs]
    score: VotScore
    if experiment.kind == "multistart":
        pairs = zip(sequences, known, strict=True)
        score = multistart_score([AnchoredRuns(len(sequence), found) for sequence, found in pairs], interval)
    elif multiobject:
        score = quality_score(known)
    else:
        score = OverlapScore(average_overlap([run for of_sequence in known for run in of_sequence]))
    return VotResult(tracker, name, score, len(every), 0)


def _anchored(folder: Path, sequence: VotSequence) -> Iterator[RunOverlaps | None]:
    """The run of each anchor; None where it has not been made."""
    (truth,) = sequence.truth.values()
    if not any(sequence.anchors):
        raise DataError(f"the sequence {sequence.name} has no anchors, which a multistart experiment needs")
    for index, anchor in enumerate(sequence.anchors):
        if anchor:
            frames = range(index, len(truth)) if anchor > 0 else range(index, -1, -1)
            yield _run(folder / f"{sequence.name}_{index:08}", sequence, truth, frames)


def _whole(folder: Path, sequence: VotSequence) -> Iterator[RunOverlaps | None]:
    """The run of each object from the first frame to the last; None where it has not been made."""
    for number, truth in sequence.truth.items():
        part = f"_{number}" if len(sequence.truth) > 1 else ""
        yield _run(folder / f"{sequence.name}{part}_001", sequence, truth, range(len(truth)))


def _run(stem: Path, sequence: VotSequence, truth: Regions, frames: range) -> RunOverlaps | None:
    answers = read_run(stem)
    if answers is None:
        return None
    ignored = None if sequence.ignored is None else [sequence.ignored[frame] for frame in frames]
    return run_overlaps(answers, [truth[frame] for frame in frames], sequence.size, ignored)
