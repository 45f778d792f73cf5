"""What the evaluation of one video found, as JSON between two runs, and the scores of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from limpet.core.errors import MissingExtraError
from limpet.evaluation.hota import ClassTracks, TrackFrame, score_tracks
from limpet.evaluation.scores import ObjectScores, Scores
from limpet.evaluation.sequence_scorer import SequenceScorer


@dataclass(frozen=True)
class VideoResult:
    """The result of one video.

    Args:
        name: of the video.
        objects: their scores; none where labels are withheld.
        frames: names of the frames in which any object was scored.
        seconds, steps: spent in the tracker's steps, and how many there were; 0 where saved masks were scored.
        notes: sentences about what was found but not scored.
        network_size: (height, width) of the network's input; None where no model ran.
        answered: how many masks were asked for: files, where each object has its own.
        labelled: whether its labels are public.
        tracks: what HOTA is made of, where it is measured.
    """

    name: str
    objects: tuple[ObjectScores, ...]
    frames: tuple[str, ...]
    seconds: float = 0.0
    steps: int = 0
    notes: tuple[str, ...] = ()
    network_size: tuple[int, int] | None = None
    answered: int = 0
    labelled: bool = True
    tracks: tuple[ClassTracks, ...] = ()

    @classmethod
    def of(
        cls,
        scorer: SequenceScorer,
        seconds: float = 0.0,
        steps: int = 0,
        notes: tuple[str, ...] = (),
        network_size: tuple[int, int] | None = None,
    ) -> Self:
        """The result after the last frame."""
        task = scorer.task
        return cls(
            task.name,
            tuple(scorer.objects()),
            task.names(tuple(task.scored)),
            seconds,
            steps,
            (*notes, *scorer.notes()),
            network_size,
            len(task.answers) * (len(task.objects) if task.overlap else 1),
            task.labelled,
            scorer.tracks(),
        )

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """What ``as_dict`` gave. Raises KeyError, TypeError or ValueError for anything else."""
        objects = []
        for each in content["objects"]:
            plain: dict[str, Any] = {name: tuple(x) if isinstance(x, list) else x for name, x in each.items()}
            objects.append(ObjectScores(**plain))
        size = content["network_size"]
        return cls(
            str(content["name"]),
            tuple(objects),
            tuple(content["frames"]),
            float(content["seconds"]),
            int(content["steps"]),
            tuple(content["notes"]),
            None if size is None else (int(size[0]), int(size[1])),
            int(content["answered"]),
            bool(content["labelled"]),
            tuple(_tracks(each) for each in content["tracks"]),
        )


def _tracks(content: dict[str, Any]) -> ClassTracks:
    frames = (
        TrackFrame(
            tuple(each["truth"]),
            tuple(each["found"]),
            *(tuple(map(tuple, each[kind])) for kind in ("masks", "boxes")),
        )
        for each in content["frames"]
    )
    return ClassTracks(str(content["name"]), str(content["group"]), tuple(frames))


def scores_of(results: Sequence[VideoResult]) -> Scores:
    """The scores of all videos together, in the order of ``results``. Raises DataError where nothing was scored."""
    notes = [note for result in results for note in result.notes]
    try:
        found = [each for result in results for each in result.tracks]
        tracks, mask_tracks = score_tracks(found, "boxes"), score_tracks(found, "masks")
    except MissingExtraError as error:
        tracks = mask_tracks = None
        notes.insert(0, str(error))
    return Scores(
        tuple(each for result in results for each in result.objects),
        {result.name: result.frames for result in results if result.objects},
        sum(result.seconds for result in results),
        sum(result.steps for result in results),
        tuple(notes),
        tracks,
        mask_tracks,
    )
