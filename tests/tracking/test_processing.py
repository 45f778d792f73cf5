"""Frames and masks to the network's input, logits to masks and soft IoUs, all against the plain formulas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from models.per_object import PerObjectConfig
from torch import Tensor

from limpet.models.base import joint_logits
from limpet.tracking.processing import (
    draw_over,
    label_map,
    object_by_object,
    only_ids,
    prepare_image,
    probabilities,
    slot_planes,
    soft_ious,
    soft_planes,
)

SIZE = (37, 50)


def enlarge(scores: Tensor, align_corners: bool = True) -> Tensor:
    return F.interpolate(scores, size=SIZE, mode="bilinear", align_corners=align_corners)[0]


def of_groups(scores: Sequence[Tensor], ids: Sequence[Sequence[int]]) -> Tensor:
    """The official way: a softmax a group, backgrounds multiplied, clamp, logit, softmax over all."""
    probabilities = [enlarge(group).softmax(0) for group in scores]
    background = torch.stack([group[0] for group in probabilities]).prod(0, keepdim=True)
    together = torch.cat([background, *(group[1:] for group in probabilities)]).clamp(1e-5, 1 - 1e-5)
    best = torch.logit(together.double()).softmax(0).argmax(0)
    return torch.tensor([0, *(i for group in ids for i in group)])[best]


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("ids", [(1,), (7, 200), (3, 1, 2, 255, 9, 8, 7, 6, 5, 4)])
def test_one_group_is_the_argmax_of_the_softmax(ids: tuple[int, ...], align_corners: bool) -> None:
    scores = torch.randn(1, len(ids) + 1, 10, 13)
    best = enlarge(scores, align_corners).softmax(0).argmax(0)
    found = label_map([scores], [ids], SIZE, align_corners)
    assert found.dtype == torch.uint8
    assert torch.equal(found, torch.tensor([0, *ids])[best].byte())
    assert len(found.unique()) == len(ids) + 1


@pytest.mark.parametrize("groups", [[(1,)], [(3, 1, 2)], [(4, 9, 2), (200,), (1, 3)]], ids=len)
@pytest.mark.parametrize("align_corners", [True, False])
def test_probabilities_are_those_of_the_official_formula(
    groups: list[tuple[int, ...]], align_corners: bool
) -> None:
    scores = [3 * torch.randn(1, len(group) + 1, 10, 13) for group in groups]
    planes = probabilities(scores, SIZE, align_corners)
    assert planes.shape == (1 + sum(map(len, groups)), *SIZE)
    torch.testing.assert_close(planes.sum(dim=0), torch.ones(SIZE))
    table = torch.tensor([0, *(i for group in groups for i in group)]).byte()
    assert torch.equal(table[planes.argmax(0)], label_map(scores, groups, SIZE, align_corners))
    alone = [enlarge(group, align_corners).double().softmax(0) for group in scores]
    background = torch.stack([group[0] for group in alone]).prod(0)
    together = torch.stack([background, *(plane for group in alone for plane in group[1:])])
    odds = together / (1 - together)
    expected = alone[0] if len(groups) == 1 else odds / odds.sum(0)
    torch.testing.assert_close(planes.double(), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("sharpness", [1.0, 30.0])  # at 30 many probabilities meet the clamp
def test_groups_compete_by_the_official_formula(sharpness: float) -> None:
    ids = [(4, 9, 2), (200,), (1, 3)]
    scores = [sharpness * torch.randn(1, len(group) + 1, 10, 13) for group in ids]
    expected = of_groups(scores, ids)
    assert torch.equal(label_map(scores, ids, SIZE, align_corners=True), expected.byte())
    assert len(expected.unique()) == 7


def test_two_groups_that_both_see_an_object_and_one_that_is_surer() -> None:
    first, second = (torch.zeros(1, 2, 2, 2) for _ in range(2))
    first[:, 1], second[:, 1] = 2.0, 3.0
    assert (label_map([first, second], [(5,), (6,)], SIZE, align_corners=True) == 6).all()
    first[:, 1], second[:, 1] = -2.0, -3.0
    assert (label_map([first, second], [(5,), (6,)], SIZE, align_corners=True) == 0).all()


def test_scores_of_the_masks_own_size() -> None:
    scores = torch.randn(1, 3, *SIZE)
    kept = scores.clone()
    assert torch.equal(label_map([scores], [(1, 2)], SIZE, True), scores[0].argmax(0).byte())
    assert torch.equal(scores, kept)


def test_given_masks_are_drawn_over_predicted_ones() -> None:
    predicted = torch.tensor([[7, 7, 0], [9, 9, 7]], dtype=torch.uint8)
    given = torch.tensor([[0, 7, 3], [0, 3, 0]], dtype=torch.uint8)
    kept = predicted.clone()
    assert draw_over(predicted, given).tolist() == [[0, 7, 3], [9, 3, 0]], (
        "7 is as given, 9 where nothing is given"
    )
    assert torch.equal(predicted, kept)
    assert only_ids(predicted, (9, 200)).tolist() == [[0, 0, 0], [9, 9, 0]]


def test_planes_of_one_group() -> None:
    mask = torch.tensor([[0, 7, 200], [9, 7, 255]], dtype=torch.uint8)
    planes = slot_planes(mask, (200, 7), (2, 3), torch.bfloat16)
    assert planes.dtype == torch.bfloat16
    assert planes.is_contiguous(memory_format=torch.channels_last)
    expected = [
        [[1, 0, 0], [1, 0, 1]],  # background and the ids of other groups
        [[0, 0, 1], [0, 0, 0]],
        [[0, 1, 0], [0, 1, 0]],
    ]
    assert planes[0].tolist() == expected


@pytest.mark.parametrize("size", [(33, 49), (17, 33), (65, 97)])
def test_planes_are_resized_to_the_nearest_pixel(size: tuple[int, int]) -> None:
    mask = torch.randint(0, 4, SIZE, dtype=torch.uint8)
    rows = torch.arange(size[0]) * SIZE[0] // size[0]
    columns = torch.arange(size[1]) * SIZE[1] // size[1]
    resized = mask[rows][:, columns]
    planes = slot_planes(mask, (1, 2, 3), size, torch.float32)
    assert planes.shape == (1, 4, *size)
    assert torch.equal(planes[0].argmax(0), resized.long())
    assert (planes.sum(1) == 1).all()


CPU = torch.device("cpu")


@pytest.mark.parametrize("size", [(20, 30), (33, 49)])
def test_normalised_pixel_by_pixel(size: tuple[int, int]) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    kept = frame.copy()
    image = prepare_image(frame, size, CPU)
    assert image.shape == (1, 3, *size)
    assert image.dtype == torch.float32
    assert image.is_contiguous(memory_format=torch.channels_last)
    resized = cv2.resize(frame.astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
    for channel, (mean, deviation) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
        expected = (resized[..., channel] / 255 - mean) / deviation
        np.testing.assert_allclose(image[0, channel], expected, atol=1e-5)
    assert np.array_equal(frame, kept)


def test_resizing_equals_the_official_transform(shared: Path) -> None:
    with np.load(shared / "golden" / "clips" / "clip_resize_134x230_3obj.npz") as clip:
        frames = clip["frames"]
    with np.load(shared / "golden" / "deaott" / "out_resize.npz") as stored:
        expected = stored["net_input_first2"]
    for frame, image in zip(frames, expected, strict=False):
        np.testing.assert_allclose(prepare_image(frame, (129, 225), CPU)[0], image, atol=2e-5)


IDS = [(8, 3), (90, 4)]


def slow_soft_ious(scores: list[torch.Tensor], ids: list[tuple[int, ...]]) -> dict[int, float]:
    """Pixel after pixel, as the text of the module says."""
    names = [0, *(i for group in ids for i in group)]
    intersection, union = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for y in range(scores[0].shape[2]):
        for x in range(scores[0].shape[3]):
            shares = [group[0, :, y, x].softmax(0).tolist() for group in scores]
            every = [math.prod(share[0] for share in shares), *(p for share in shares for p in share[1:])]
            for name, p in zip(names, every, strict=True):
                wins = p == max(every)
                intersection[name] += p if wins else 0
                union[name] += 1 if wins else p
    return {name: intersection[name] / union[name] for name in names[1:]}


@pytest.mark.parametrize("groups", [1, 2])
def test_soft_iou_against_a_loop(groups: int) -> None:
    scores = [torch.randn(1, 3, 6, 7) for _ in range(groups)]
    scores[-1][:, 2] = -50.0  # this one wins nowhere
    expected = slow_soft_ious(scores, IDS[:groups])
    assert soft_ious(scores, IDS[:groups]) == pytest.approx(expected, abs=1e-6)
    assert expected[IDS[groups - 1][1]] == pytest.approx(0, abs=1e-9)
    assert expected[8] > 0.05


def test_a_sharp_mask_has_one_and_a_blurred_one_less() -> None:
    sharp = torch.zeros(1, 2, 8, 8)
    sharp[0, 1] = -30.0
    sharp[0, 1, 2:6, 2:6] = 30.0
    blurred = sharp / 20
    assert soft_ious([sharp], [(5,)])[5] == pytest.approx(1.0)
    assert 0.3 < soft_ious([blurred], [(5,)])[5] < 0.8


def test_doubt_outside_of_the_mask_counts_too() -> None:
    """The mean probability inside would not see it."""
    scores = torch.zeros(1, 2, 8, 8)
    scores[0, 1] = -30.0
    scores[0, 1, 2:6, 2:6] = 30.0
    doubtful = scores.clone()
    doubtful[0, 1, 6:] = -0.1
    before, after = soft_ious([scores], [(5,)])[5], soft_ious([doubtful], [(5,)])[5]
    assert after < before - 0.2


def test_objects_with_logits_of_their_own_are_merged_as_groups_of_one() -> None:
    """Soft aggregation, also of a single object; the planes of a memory have the background of all."""
    config, ids = PerObjectConfig(), [(4, 9), (200,)]
    logits = [F.pad(3 * torch.randn(1, len(group), 10, 13), (0, 0, 0, 0, 1, 0)) for group in ids]
    pairs, single = object_by_object(logits, ids)
    assert single == [(4,), (9,), (200,)] and all(pair.shape == (1, 2, 10, 13) for pair in pairs)
    together = torch.cat([logits[0], logits[1][:, 1:]], dim=1)
    for chosen, some in ((pairs, together), (pairs[:1], together[:, :2])):
        merged = probabilities(chosen, SIZE, True, independent=True)
        expected = joint_logits(enlarge(some)[None], config).softmax(dim=1)[0]
        torch.testing.assert_close(merged, expected, atol=1e-5, rtol=1e-4)
        found = label_map(chosen, single[: len(chosen)], SIZE, True)
        assert torch.equal(found, torch.tensor([0, 4, 9, 200])[merged.argmax(0)].byte())
    merged = probabilities(pairs, SIZE, True, independent=True)
    first, second = soft_planes(merged, [2, 1], torch.float32, independent=True)
    assert torch.equal(first[0], merged[:3]) and torch.equal(second[0], merged[[0, 3]])
    rest, _ = soft_planes(merged, [2, 1], torch.float32)
    torch.testing.assert_close(rest.sum(dim=1), torch.ones(1, *SIZE))


def test_other_groups_are_no_background_of_objects_with_logits_of_their_own() -> None:
    mask = torch.tensor([[0, 4], [9, 200]], dtype=torch.uint8)
    planes = slot_planes(mask, (4, 9), (2, 2), torch.float32, independent=True)
    assert planes.tolist() == [[[[1, 0], [0, 0]], [[0, 1], [0, 0]], [[0, 0], [1, 0]]]]
    planes = slot_planes(mask, (4, 9), (2, 2), torch.float32)
    assert planes[0, 0].tolist() == [[1, 0], [0, 1]]
