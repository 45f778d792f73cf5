"""Whole protocols against the simplest loops that follow the published code, on videos with everything that goes wrong.

Objects begin late, disappear and return; ids have holes; predictions miss objects and find them where they are not.
The loops of DAVIS and SA-V were compared with the package vos-benchmark 0.1.0, from which SA-V's own code is derived:
equal to the last bit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from limpet.evaluation.evaluate_videos import score_video
from limpet.evaluation.protocols.known_protocols import open_protocol
from limpet.evaluation.scores import ObjectScores
from limpet.evaluation.video_result import scores_of

from .slow_metrics import slow_boundary_accuracy, slow_region_similarity
from .tiny import Ids, grey, make_sequence, make_split, save_ids

SIZE = (30, 40)
IDS = (2, 3, 9, 40)
Video = tuple[list[Ids], list[Ids]]
Values = list[tuple[float, float]]


def made_up(seed: int, frames: int = 9, late: bool = True) -> Video:
    """Truth and prediction, a list of label maps each."""
    rng = np.random.default_rng(seed)
    begins = {number: int(rng.integers(0, 4)) if late and place else 0 for place, number in enumerate(IDS)}
    truth, found = [], []
    for frame in range(frames):
        a, b = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
        for place, number in enumerate(IDS):
            if frame < begins[number]:
                continue
            top, left = 2 + 7 * place, int(rng.integers(0, 28))
            if frame == begins[number] or rng.random() > 0.3:
                a[top : top + 6, left : left + 12] = number
            if frame == begins[number]:
                b[a == number] = number
            elif rng.random() > 0.2:
                left = max(0, left + int(rng.integers(-3, 4)))
                b[top : top + 5, left : left + 12] = number
        truth.append(a)
        found.append(b)
    return truth, found


def measured(truth: list[Ids], found: list[Ids], number: int, frames: range) -> Values:
    pairs = ((truth[i] == number, found[i] == number) for i in frames)
    return [(slow_region_similarity(a, b), slow_boundary_accuracy(a, b)) for a, b in pairs]


def slow_stats(values: list[float]) -> tuple[float, float, float]:
    """Mean, recall and decay as davis2017/utils.py, db_statistics, has them."""
    edges = [round(1 + quarter * (len(values) - 1) / 4 + 1e-10) - 1 for quarter in range(5)]
    first, last = values[edges[0] : edges[1] + 1], values[edges[3] : edges[4] + 1]
    recall = sum(value > 0.5 for value in values) / len(values)
    return sum(values) / len(values), recall, sum(first) / len(first) - sum(last) / len(last)


def same(scored: ObjectScores, values: Values) -> None:
    assert scored.region == pytest.approx([region for region, _ in values], abs=1e-12)
    assert scored.boundary == pytest.approx([boundary for _, boundary in values], abs=1e-12)
    for stats, part in ((scored.j, 0), (scored.f, 1)):
        mean, recall, decay = slow_stats([value[part] for value in values])
        assert (stats.mean, stats.recall, stats.decay) == pytest.approx((mean, recall, decay), abs=1e-12)


def save(folder: Path, masks: list[Ids], name: Callable[[int], str] = "{:05}".format) -> None:
    for index, mask in enumerate(masks):
        save_ids(folder / f"{name(index)}.png", mask)


def test_davis(tmp_path: Path) -> None:
    """davis2017/evaluation.py: objects of the first mask, frames [1:-1], statistics of each object."""
    truth, found = made_up(7, late=False)
    make_sequence(tmp_path, "v", truth)
    make_split(tmp_path, "2017/val", ["v"])
    save(tmp_path / "found/v", found)
    result = score_video(tmp_path / "found", open_protocol("davis", tmp_path).task("v"))
    assert [each.object_id for each in result.objects] == list(IDS)
    for each in result.objects:
        same(each, measured(truth, found, each.object_id, range(1, 8)))


def test_mose(tmp_path: Path) -> None:
    """MOSEv2 tools/score.py: every object in frames 1 to length - 2, those before it begins included."""
    truth, found = made_up(7)
    for index in range(9):
        grey(tmp_path / f"valid/JPEGImages/v/{index:05}.jpg", SIZE)
    save(tmp_path / "valid/Annotations/v", truth)
    save(tmp_path / "found/v", found)
    result = score_video(tmp_path / "found", open_protocol("mose", tmp_path).task("v"))
    assert [each.object_id for each in result.objects] == list(IDS)
    for each in result.objects:
        same(each, measured(truth, found, each.object_id, range(1, 8)))


@pytest.mark.parametrize("seed", range(2))
def test_sa_v(tmp_path: Path, seed: int) -> None:
    """sav_benchmark.py: per object, frames [1:-1], from the first one on that shows it in truth or prediction."""
    truth, found = made_up(seed)
    for index in range(17):
        grey(tmp_path / f"sav_val/JPEGImages_24fps/v/{index:05}.jpg", SIZE)
    for place, number in enumerate(IDS):
        for folder, masks in (("sav_val/Annotations_6fps", truth), ("found", found)):
            own = [(mask == number).astype(np.uint8) for mask in masks]
            save(tmp_path / f"{folder}/v/{place:03}", own, lambda index: f"{2 * index:05}")
    result = score_video(tmp_path / "found", open_protocol("sa-v", tmp_path).task("v"))
    for each in result.objects:
        number = IDS[each.object_id]
        first = next(i for i in range(1, 8) if (truth[i] == number).any() or (found[i] == number).any())
        same(each, measured(truth, found, number, range(first, 8)))


def test_lvos(tmp_path: Path) -> None:
    """lvos/evaluation.py: an array of frame_nums zeros, filled for the frames from start to before end."""
    truth, found = made_up(7)

    def name(index: int) -> str:
        return f"{5 * index + 1:08}"

    for index in range(9):
        grey(tmp_path / f"valid/JPEGImages/v/{name(index)}.jpg", SIZE)
    save(tmp_path / "valid/Annotations/v", truth, name)
    save(tmp_path / "found/v", found, name)
    begins = {number: next(i for i in range(9) if (truth[i] == number).any()) for number in IDS}
    ranges = {
        str(number): {"frame_range": {"start": name(at), "end": name(8), "frame_nums": 9 - at}}
        for number, at in begins.items()
    }
    (tmp_path / "valid/meta.json").write_text(json.dumps({"videos": {"v": {"objects": ranges}}}))
    result = score_video(tmp_path / "found", open_protocol("lvos", tmp_path).task("v"))
    for each in result.objects:
        at = begins[each.object_id]
        values = [(0.0, 0.0)] * (9 - at)
        values[: 8 - at] = measured(truth, found, each.object_id, range(at, 8))
        same(each, values)


def test_g_of_youtube_vos(tmp_path: Path) -> None:
    """Xu et al., 2018, section 4: the mean of J seen, J unseen, F seen and F unseen, each a mean over objects."""
    seen = {2: True, 3: False, 9: True, 40: False}
    (tmp_path / "train").mkdir()
    known = {"videos": {"t": {"objects": {"1": {"category": "True", "frames": []}}}}}
    (tmp_path / "train/meta.json").write_text(json.dumps(known))
    videos, objects = {f"v{seed}": made_up(seed) for seed in range(2)}, {}
    parts: dict[tuple[bool, int], list[float]] = {}
    for video, (truth, found) in videos.items():
        for index in range(9):
            grey(tmp_path / f"valid/JPEGImages/{video}/{index:05}.jpg", SIZE)
        save(tmp_path / f"valid/Annotations/{video}", truth)
        save(tmp_path / f"found/{video}", found)
        own = {}
        for number in IDS:
            at = next(i for i in range(9) if (truth[i] == number).any())
            own[str(number)] = {"category": str(seen[number]), "frames": [f"{i:05}" for i in range(at, 9)]}
            values = measured(truth, found, number, range(at + 1, 9))
            for part in (0, 1):
                mean = float(np.mean([value[part] for value in values]))
                parts.setdefault((seen[number], part), []).append(mean)
        objects[video] = {"objects": own}
    (tmp_path / "valid/meta.json").write_text(json.dumps({"videos": objects}))
    protocol = open_protocol("youtube-vos", tmp_path)
    scores = scores_of([score_video(tmp_path / "found", protocol.task(name)) for name in protocol.names()])
    expected = float(np.mean([np.mean(values) for values in parts.values()]))
    assert len(parts) == 4 and scores.headline == ("G", pytest.approx(expected, abs=1e-12))
