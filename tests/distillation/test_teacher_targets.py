"""What a teacher predicts for a clip is what a tracker would, and no mask but the first is given to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from golden import normalise
from models.per_object import PerObjectConfig, lively_per_object
from networks import frames, lively_model, mask_of, small_config
from torch import Tensor

from limpet.distillation.config import MapChoice
from limpet.distillation.teacher_targets import teacher_targets
from limpet.models import Model
from limpet.tracking.tracker import Tracker

T, COUNTS = 5, [3]


@pytest.fixture
def teacher() -> Model:
    return lively_model(small_config(layers=2, gap=2), seed=1).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def clip() -> tuple[Tensor, Tensor]:
    """Images (5, 1, 3, 65, 97) and the first mask (1, 65, 97) with three objects."""
    return normalise(np.stack(frames(T))).unsqueeze(1), torch.from_numpy(mask_of(1, 2, 3)).long()[None]


def test_labels_are_the_masks_of_the_tracker(teacher: Model, clip: tuple[Tensor, Tensor]) -> None:
    tracker, video = Tracker(teacher, precision="fp32"), frames(T)
    state = tracker.start(video[0], mask_of(1, 2, 3))
    targets = teacher_targets(teacher, *clip, COUNTS)
    assert len(targets) == T - 1
    for frame, target in zip(video[1:], targets, strict=True):
        mask, state = tracker.step(frame, state)
        assert (mask != target.labels[0].numpy()).mean() < 1e-3


def test_shapes_and_what_was_asked_for(teacher: Model, clip: tuple[Tensor, Tensor]) -> None:
    plain = teacher_targets(teacher, *clip, COUNTS)[0]
    assert plain.logits.shape == (1, 4, 17, 25) and plain.labels.shape == (1, 65, 97)
    assert plain.maps == () and plain.tokens is None
    full = teacher_targets(
        teacher, *clip, COUNTS, [MapChoice(), MapChoice(0, "self")], with_tokens=True, long_term_gap=1
    )
    cells = 5 * 7
    frames_read = [target.maps[0].weights.shape[-1] // cells for target in full]
    assert frames_read == [1, 2, 3, 4], "a gap of 1 keeps every frame"
    assert all(target.maps[1].weights.shape[-1] == cells for target in full)
    assert full[0].tokens is not None and full[0].tokens.shape[-2:] == (5, 7)
    assert not any(target.logits.requires_grad for target in full)


def test_slots_move_and_labels_stay(teacher: Model, clip: tuple[Tensor, Tensor]) -> None:
    """A bank of another size than the slots say is left as it is."""
    usual = teacher_targets(teacher, *clip, COUNTS)
    moved = torch.tensor([[0, 2, 3, 1, *range(4, 11)]])
    other = teacher_targets(teacher, *clip, COUNTS, slots=moved)
    assert other[0].logits.shape == usual[0].logits.shape
    assert not torch.equal(other[0].logits, usual[0].logits)
    ignored = teacher_targets(teacher, *clip, COUNTS, slots=torch.tensor([[0, 2, 3, 1]]))
    assert torch.equal(ignored[0].logits, usual[0].logits)


def test_a_teacher_in_half_precision_says_almost_the_same(
    teacher: Model, clip: tuple[Tensor, Tensor]
) -> None:
    exact = teacher_targets(teacher, *clip, COUNTS, [MapChoice()])
    rough = teacher_targets(teacher.to(torch.bfloat16), *clip, COUNTS, [MapChoice()])
    assert rough[0].logits.dtype == torch.float32
    assert (rough[0].labels == exact[0].labels).float().mean() > 0.95


@dataclass(frozen=True)
class SixteenConfig(PerObjectConfig):
    """Sees images of 16k pixels."""

    @property
    def align_corners(self) -> bool:
        return False


def test_a_teacher_of_another_size_gets_its_own_images(clip: tuple[Tensor, Tensor]) -> None:
    """The clips have 65x97 pixels, and what it says is brought back to that."""
    teacher = lively_per_object(SixteenConfig(), seed=1).eval()
    targets = teacher_targets(teacher, *clip, COUNTS, with_representation=True)
    assert len(targets) == T - 1
    for target in targets:
        assert target.logits.shape == (1, 4, 17, 25) and target.labels.shape == (1, 65, 97)
        assert target.full_logits is not None and target.full_logits.shape == (1, 4, 65, 97)
        assert target.representation is not None and target.representation.shape == (1, 3, 16, 16, 24)
    assert set(targets[0].labels.unique().tolist()) > {0}
    assert torch.equal(targets[0].labels, targets[0].full_logits.argmax(dim=1))  # type: ignore[union-attr]


def test_objects_compete_in_the_logits_of_a_teacher_with_a_logit_for_each(
    clip: tuple[Tensor, Tensor],
) -> None:
    """They are the log-odds of each object among all: for one object, twice its logit."""
    teacher = lively_per_object(PerObjectConfig(), seed=1).eval()
    one = (clip[1] > 0).long()
    target = teacher_targets(teacher, clip[0], one, [1], with_representation=True)[0]
    assert target.representation is not None
    plain = teacher.last_layer(target.representation)[:, 1].clamp(
        -8, 8
    )  # where probabilities are not bounded
    joint = (target.logits[:, 1] - target.logits[:, 0]).clamp(-16, 16)
    torch.testing.assert_close(joint, 2 * plain, atol=0.05, rtol=0.01)
