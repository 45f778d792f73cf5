from __future__ import annotations

import doctest
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import MaskError
from limpet.evaluation import metrics
from limpet.evaluation.metrics import (
    boundary_accuracy,
    boundary_map,
    boundary_radius,
    grow,
    measure_stats,
    region_similarity,
    row_length,
    to_bits,
)

from .slow_metrics import slow_boundary, slow_boundary_accuracy, slow_region_similarity


def random_masks(seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Two blobs that overlap in part, some touching the border, with speckles."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(size)
    masks = []
    for _ in range(2):
        y, x = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        blob = (rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(1, max(size) / 2) ** 2
        masks.append(blob ^ (rng.random(size) < rng.choice([0, 0.01])))
    return masks[0], masks[1]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("tolerance", [0.008, 0.06, 3])
def test_equals_the_slow_definition(seed: int, tolerance: float) -> None:
    truth, prediction = random_masks(seed, [(20, 31), (33, 24), (1, 9)][seed % 3])
    assert region_similarity(truth, prediction) == pytest.approx(
        slow_region_similarity(truth, prediction), abs=1e-12
    )
    assert boundary_accuracy(truth, prediction, tolerance) == pytest.approx(
        slow_boundary_accuracy(truth, prediction, tolerance), abs=1e-12
    )


@pytest.mark.parametrize("seed", range(4))
def test_boundary_map_equals_the_slow_one(seed: int) -> None:
    mask, _ = random_masks(seed, (17, 23))
    found = list(zip(*(axis.tolist() for axis in np.nonzero(boundary_map(mask.view(np.uint8)))), strict=True))
    assert found == slow_boundary(mask)


@pytest.mark.parametrize("radius", range(18))
def test_a_point_grows_to_the_disk(radius: int) -> None:
    point = np.zeros((37, 41), np.uint8)
    point[18, 20] = 1
    rows, columns = np.indices(point.shape)
    disk = (rows - 18) ** 2 + (columns - 20) ** 2 <= radius**2
    row = row_length(41, radius)
    assert grow(to_bits(point, row), row, radius) == to_bits(disk.astype(np.uint8), row)


@pytest.mark.parametrize("corner", [(0, 0), (0, 8), (5, 0), (5, 8)])
def test_what_grows_past_an_edge_does_not_come_back(corner: tuple[int, int]) -> None:
    point = np.zeros((6, 9), np.uint8)
    point[corner] = 1
    rows, columns = np.indices(point.shape)
    disk = (rows - corner[0]) ** 2 + (columns - corner[1]) ** 2 <= 7**2
    row = row_length(9, 7)
    inside = to_bits(np.ones_like(point), row)
    assert grow(to_bits(point, row), row, 7) & inside == to_bits(disk.astype(np.uint8), row)


def edge_case(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    empty = np.zeros((20, 30), bool)
    box, corner, void = empty.copy(), empty.copy(), empty.copy()
    box[5:12, 8:20] = True
    corner[14:20, 22:30] = True
    void[4:8] = True
    moved = np.roll(box, 3, axis=1)
    return {
        "both_empty": (empty, empty, None),
        "gt_empty": (empty, box, None),
        "pred_empty": (box, empty, None),
        "equal": (box, box, None),
        "shift3": (box, moved, None),
        "all_ones_vs_box": (~empty, box, None),
        "touch_border": (corner, np.roll(corner, -1, axis=0), None),
        "with_void": (box, moved, void),
    }[name]


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared / "golden/metrics/metrics.json").read_text())
    return found


def test_edge_cases_equal_the_official_ones(golden: dict[str, Any]) -> None:
    cases = golden["edge_cases_20x30"]["values"]
    assert len(cases) == 8
    for name, expected in cases.items():
        truth, prediction, void = edge_case(name)
        assert region_similarity(truth, prediction, void) == pytest.approx(expected["J"], abs=1e-9), name
        assert boundary_accuracy(truth, prediction, void=void) == pytest.approx(expected["F"], abs=1e-9), name
        wide = boundary_accuracy(truth, prediction, 2, void)
        assert wide == pytest.approx(expected["F_bound_th_2px"], abs=1e-9), name


@pytest.mark.parametrize("sequence", ["bmx-trees", "dogs-jump", "gold-fish", "horsejump-high"])
def test_real_masks_equal_the_official_measures(golden: dict[str, Any], shared: Path, sequence: str) -> None:
    folder, expected = shared / "golden/metrics" / sequence, golden["sequences"][sequence]
    for place, name in enumerate(expected["frames"]):
        truth, prediction = (np.asarray(Image.open(folder / kind / name)) for kind in ("gt", "pred"))
        for number, values in expected["objects"].items():
            a, b = truth == int(number), prediction == int(number)
            assert region_similarity(a, b) == pytest.approx(values["J"][place], abs=1e-9)
            assert boundary_accuracy(a, b) == pytest.approx(values["F"][place], abs=1e-9)
            for key, tolerance in (("F_bound_th_0.02", 0.02), ("F_bound_th_5px", 5)):
                assert boundary_accuracy(a, b, tolerance) == pytest.approx(values[key][place], abs=1e-9)
            assert int(boundary_map(a.view(np.uint8)).sum()) == values["gt_boundary_pixels"][place]


def test_statistics_equal_the_official_ones(golden: dict[str, Any]) -> None:
    for sequence in golden["sequences"].values():
        for values in sequence["objects"].values():
            for measure in "JF":
                found = measure_stats(values[measure])
                expected = values[f"{measure}_stats_mean_recall_decay"]
                assert [found.mean, found.recall, found.decay] == pytest.approx(expected, abs=1e-9)


def test_statistics_of_long_series_have_the_decay_that_the_official_tool_loses(
    golden: dict[str, Any],
) -> None:
    for length, expected in golden["db_statistics_series"]["values"].items():
        count = int(length)
        series = np.round(np.linspace(0.9, 0.2, count) + 0.05 * np.sin(np.arange(count)), 6)
        found = measure_stats(series)
        assert [found.mean, found.recall] == pytest.approx(expected[:2], abs=1e-9)
        if expected[2] is None:
            assert count >= 256
            one, three = (math.floor(part * (count - 1) / 4 + 0.5) for part in (1, 3))  # half rounds up
            assert found.decay == pytest.approx(series[: one + 1].mean() - series[three:].mean(), abs=1e-12)
        else:
            assert found.decay == pytest.approx(expected[2], abs=1e-9)


def test_statistics_of_one_frame_and_of_none() -> None:
    assert (measure_stats([0.5]).mean, measure_stats([0.5]).recall, measure_stats([0.5]).decay) == (
        0.5,
        0.0,
        0.0,
    )
    with pytest.raises(ValueError, match="at least one frame"):
        measure_stats([])


def test_radius() -> None:
    assert boundary_radius((480, 854)) == 8
    assert boundary_radius((480, 854), 5) == 5
    assert boundary_radius((480, 854), 0) == 0
    with pytest.raises(MaskError, match="tolerance is -1"):
        boundary_radius((480, 854), -1)
    with pytest.raises(MaskError, match="tolerance is nan"):
        boundary_radius((480, 854), math.nan)


def test_masks_of_other_types_count_their_non_zero_pixels() -> None:
    truth, prediction = random_masks(3, (20, 30))
    ids = truth.astype(np.uint8) * 200
    assert region_similarity(ids, prediction.astype(np.int64)) == region_similarity(truth, prediction)
    assert boundary_accuracy(ids, prediction) == boundary_accuracy(truth, prediction)


def test_sizes_that_differ_are_named() -> None:
    for measure in (region_similarity, boundary_accuracy):
        with pytest.raises(MaskError, match="truth is 4x5 but prediction is 4x6"):
            measure(np.ones((4, 5), bool), np.ones((4, 6), bool))
    with pytest.raises(MaskError, match="void is 1x5"):
        region_similarity(np.ones((4, 5), bool), np.ones((4, 5), bool), np.ones((1, 5), bool))


def test_the_examples_are_true() -> None:
    outcome = doctest.testmod(metrics)
    assert outcome.attempted and not outcome.failed
