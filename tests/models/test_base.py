"""What all models share: settings, features as one value, slots, and how logits of objects are merged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from per_object import PerObjectConfig
from torch import Tensor

from limpet.core.errors import ModelError
from limpet.models import AOTConfig, Features, keep_slots
from limpet.models.attention import MASKED_LOGIT
from limpet.models.base import joint_logits, slot_probabilities


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"layers": 0}, ValueError, "at least one layer and one object"),
        ({"max_objects": 0}, ValueError, "at least one layer and one object"),
        ({"long_term_gap": 0}, ValueError, "long_term_gap is 0, expected at least 1 frame or None"),
        (
            {"encoder": "vgg"},
            ModelError,
            "there is no encoder called 'vgg'; the encoders are: mobilenet-v2, mobilenet-v2-96, resnet-18, "
            "resnet-50, swin-b, .*and timm:NAME",
        ),
    ],
)
def test_members_that_cannot_be_are_refused(
    settings: dict[str, object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        AOTConfig(**settings)  # type: ignore[arg-type]


def features(batch: int, **more: Tensor) -> Features:
    at_4, at_8, at_16 = (torch.randn(batch, 3, 16 // s, 16 // s) for s in (1, 2, 4))
    return Features(at_4, at_8, at_16, torch.randn(batch, 5, 4, 6), **more)


def test_features_are_split_with_all_that_they_carry() -> None:
    whole = features(6, image=torch.randn(6, 3, 64, 96))
    first, second, third = whole.split(2)
    assert first.size == (4, 6) and len(first.maps) == 3
    assert torch.equal(second.tokens, whole.tokens[2:4]) and torch.equal(third.at_8, whole.at_8[4:])
    assert first.image is not None and torch.equal(first.image, whole.image[:2])  # type: ignore[index]
    assert first.flow is None


def test_features_of_one_frame_stand_for_several_groups() -> None:
    one = features(1, flow=torch.randn(1, 4, 16, 16))
    three = one.expand(3)
    assert three.flow is not None and three.flow.shape == (3, 4, 16, 16) and three.image is None
    assert torch.equal(three.tokens[2:], one.tokens)
    assert three.tokens.data_ptr() == one.tokens.data_ptr(), "nothing is copied"
    assert {part.dtype for part in one.map(Tensor.half) if part is not None} == {torch.float16}


def test_slots_that_are_not_in_use_never_win() -> None:
    logits = torch.randn(2, 5, 3, 4)
    kept = keep_slots(logits, [1, 3])
    assert kept.shape == (2, 4, 3, 4)
    assert torch.equal(kept[1], logits[1, :4]) and torch.equal(kept[0, :2], logits[0, :2])
    assert (kept[0, 2:] == MASKED_LOGIT).all() and (kept.softmax(dim=1)[0, 2:] == 0).all()
    assert torch.equal(keep_slots(logits, [2, 2]), logits[:, :3])


def test_logits_of_most_models_are_joint_already() -> None:
    logits = torch.randn(2, 4, 3, 5)
    assert joint_logits(logits, AOTConfig()) is logits
    assert torch.equal(slot_probabilities(logits, AOTConfig()), logits.softmax(dim=1))


def test_an_object_that_is_not_there_takes_no_part_in_merging() -> None:
    logits = torch.randn(2, 4, 3, 5)
    logits[:, 0] = 0
    some = keep_slots(logits, [2, 3])
    merged = joint_logits(some, PerObjectConfig()).softmax(dim=1)
    alone = joint_logits(logits[:1, :3], PerObjectConfig()).softmax(dim=1)
    torch.testing.assert_close(merged[:1, :3], alone)
    assert (merged[0, 3] == 0).all()


def test_one_object_is_merged_like_several() -> None:
    """Soft aggregation of one logit x: p / (1 - p) squared, so that its probability is sigmoid(2x)."""
    logits = torch.tensor([0.0, 1.5]).view(1, 2, 1, 1)
    merged = joint_logits(logits, PerObjectConfig()).softmax(dim=1)
    assert merged[0, 1].item() == pytest.approx(torch.sigmoid(torch.tensor(3.0)).item(), rel=1e-5)


def test_merging_against_a_loop() -> None:
    """As STM and STCN do it: odds of the probabilities, that of the background being the product of all others'."""
    logits = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    logits[:, 0] = 0
    found = joint_logits(logits, PerObjectConfig()).softmax(dim=1)
    for b in range(2):
        for y in range(3):
            for x in range(5):
                own = [1 / (1 + np.exp(-logits[b, n, y, x].item())) for n in (1, 2, 3)]
                all_ = [np.prod([1 - p for p in own]), *own]
                odds = [p / (1 - p) for p in all_]
                np.testing.assert_allclose(found[b, :, y, x], np.array(odds) / sum(odds), rtol=1e-9)
