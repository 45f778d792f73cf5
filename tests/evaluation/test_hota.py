from __future__ import annotations

import math
import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import MissingExtraError
from limpet.evaluation.evaluate_videos import evaluate_predictions
from limpet.evaluation.hota import ALPHAS, ClassTracks, Hota, TrackFrame, count_pairs, score_tracks
from limpet.evaluation.protocols.burst import BurstProtocol
from limpet.evaluation.scores import Scores

from .burst_tracks import make_tracks

TRACKEVAL: dict[str, dict[str, tuple[float, float, float]]] = {
    "boxes": {
        "ball": (0.4714488149285126, 0.6341615025931467, 0.3564195516263185),
        "bird": (0.5838231004065798, 0.5597779413568886, 0.6096804511278195),
        "hat": (0.9398496240601506, 0.9398496240601506, 0.9398496240601506),
        "scrubbing_brush": (0.6970067473804824, 0.6865724918356495, 0.7076381429764889),
        "tag": (0.9248120300751881, 0.9248120300751881, 0.9248120300751881),
    },
    "masks": {
        "ball": (0.442072732726919, 0.59062747402327, 0.3384012916907654),
        "bird": (0.5098191625028022, 0.47629125260704197, 0.5476503759398496),
        "hat": (0.9248120300751881, 0.9248120300751881, 0.9248120300751881),
        "scrubbing_brush": (0.6670210183628695, 0.6578453710032656, 0.6763515932688865),
        "tag": (0.8796992481203008, 0.8796992481203008, 0.8796992481203008),
    },
}
"""HOTA, DetA and AssA of ``make_tracks`` by TrackEval 1.3.0: datasets.BURST with EXEMPLAR_GUIDED, metrics.HOTA; those
of masks with its similarity_scores from pycocotools on the masks."""


@pytest.fixture
def scores(tmp_path: Path) -> Scores:
    make_tracks(tmp_path / "burst", tmp_path / "masks")
    protocol = BurstProtocol(tmp_path / "burst")
    return evaluate_predictions(tmp_path / "masks", [protocol.task(name) for name in protocol.names()])


@pytest.mark.parametrize("overlap", ["boxes", "masks"])
def test_equals_trackeval(scores: Scores, overlap: str) -> None:
    tracks = scores.tracks if overlap == "boxes" else scores.mask_tracks
    assert tracks is not None and tracks.classes.keys() == TRACKEVAL[overlap].keys()
    for name, expected in TRACKEVAL[overlap].items():
        found = tracks.classes[name]
        assert (found.hota, found.detection, found.association) == pytest.approx(expected, abs=1e-12)


def test_the_mean_is_over_classes(scores: Scores) -> None:
    assert scores.tracks is not None
    groups, expected = scores.tracks.groups, TRACKEVAL["boxes"]
    assert list(groups) == ["all", "common", "uncommon"]
    assert groups["all"].hota == pytest.approx(np.mean([each[0] for each in expected.values()]))
    common = [expected["ball"], expected["bird"]]
    assert groups["common"].association == pytest.approx(np.mean([each[2] for each in common]))
    assert scores.headline == ("HOTA", groups["all"].hota)


def frame(truth: tuple[int, ...], found: tuple[int, ...], *overlaps: tuple[float, ...]) -> TrackFrame:
    return TrackFrame(truth, found, overlaps, ())


def test_a_track_whose_prediction_breaks_in_two() -> None:
    frames = [frame((1,), (1 if place < 2 else 2,), (1.0,)) for place in range(4)]
    found = Hota.of(count_pairs(frames, "masks"))
    assert (found.detection, found.association) == (1.0, 0.5)
    assert found.hota == pytest.approx(math.sqrt(0.5))


def test_an_overlap_of_half_counts_at_half_of_the_thresholds() -> None:
    counts = count_pairs([frame((1,), (1,), (0.5,))], "masks")
    assert counts.pairs.tolist() == [1.0] * 10 + [0.0] * 9
    assert Hota.of(counts).hota == pytest.approx(10 / 19)


def test_surplus_masks_and_tracks_that_are_not_found_lower_the_detection() -> None:
    frames = [frame((1, 2), (1,), (1.0,), (0.0,)), frame((), (1,)), frame((2,), (), ())]
    counts = count_pairs(frames, "masks")
    assert (counts.pairs[0], counts.missed[0], counts.surplus[0]) == (1, 2, 1)
    assert Hota.of(counts).detection == pytest.approx(1 / 4)


def test_without_any_track_there_is_no_score() -> None:
    assert score_tracks([], "masks") is None
    only_missed = score_tracks([ClassTracks("a", "", (frame((1,), (), ()),))], "masks")
    assert only_missed is not None and only_missed.groups == {"all": Hota(0.0, 0.0, 0.0)}


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_definition_in_plain_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(6):
        truth = tuple(sorted(rng.choice(4, rng.integers(0, 4), replace=False).tolist()))
        found = tuple(sorted(rng.choice(5, rng.integers(0, 4), replace=False).tolist()))
        frames.append(frame(truth, found, *(tuple(rng.random(len(found)).tolist()) for _ in truth)))
    found_here = Hota.of(count_pairs(frames, "masks"))
    expected = slow_hota(frames)
    assert (found_here.hota, found_here.detection, found_here.association) == pytest.approx(expected)


def slow_hota(frames: list[TrackFrame]) -> tuple[float, float, float]:
    """Every pairing of every frame is tried."""
    lengths = [{}, {}]  # type: list[dict[int, int]]
    together: dict[tuple[int, int], float] = {}
    for each in frames:
        for counts, numbers in zip(lengths, (each.truth, each.found), strict=True):
            for number in numbers:
                counts[number] = counts.get(number, 0) + 1
        for i, a in enumerate(each.truth):
            for j, b in enumerate(each.found):
                row, column = sum(each.masks[i]), sum(values[j] for values in each.masks)
                value = each.masks[i][j]
                together[a, b] = together.get((a, b), 0.0) + value / (row + column - value)
    pairs_by_frame = []
    for each in frames:
        weight = {
            (i, j): each.masks[i][j]
            * together[a, b] / (lengths[0][a] + lengths[1][b] - together[a, b])
            for i, a in enumerate(each.truth) for j, b in enumerate(each.found)
        }  # fmt: skip
        few, many = sorted((len(each.truth), len(each.found)))
        flipped = len(each.truth) > len(each.found)
        tried = [
            [(j, i) if flipped else (i, j) for i, j in enumerate(chosen)]
            for chosen in permutations(range(many), few)
        ]
        best = max(tried, key=lambda pairing: sum(weight[pair] for pair in pairing))
        pairs_by_frame.append([(each.truth[i], each.found[j], each.masks[i][j]) for i, j in best])
    rows = []
    for alpha in ALPHAS:
        pairs = [(a, b) for chosen in pairs_by_frame for a, b, overlap in chosen if overlap >= alpha]
        truths, founds = sum(lengths[0].values()), sum(lengths[1].values())
        detection = len(pairs) / (truths + founds - len(pairs))
        shares = [pairs.count(p) / (lengths[0][p[0]] + lengths[1][p[1]] - pairs.count(p)) for p in pairs]
        association = sum(shares) / len(shares) if shares else 0.0
        rows.append((math.sqrt(detection * association), detection, association))
    hota, detection, association = np.mean(rows, axis=0)
    return float(hota), float(detection), float(association)


def test_without_scipy_it_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(MissingExtraError, match=r"limpet\[burst\]"):
        count_pairs([], "masks")
    make_tracks(tmp_path / "burst", tmp_path / "masks")
    protocol = BurstProtocol(tmp_path / "burst")
    scores = evaluate_predictions(tmp_path / "masks", [protocol.task("HACS/swap")])
    assert scores.tracks is None and "HOTA needs the package 'scipy'" in scores.notes[0]
    assert scores.headline[0] == "J&F"
