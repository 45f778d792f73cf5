"""Tokens of student and teacher as a lesson, and the projections that are trained for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from networks import NARROW, lively_model, small_config, small_tracker
from tiny_encoder import TINY
from torch import Tensor
from training.tiny import make_stills, tiny_run

from limpet.core.errors import DataError, ModelError
from limpet.data import StillsFolder
from limpet.distillation.config import (
    DistillationConfig,
    DistillationLossConfig,
    DistillationRecord,
    FeatureKind,
)
from limpet.distillation.distill_student import distill
from limpet.distillation.feature_loss import FeatureLoss, token_width
from limpet.distillation.objective import OnlineDistillation
from limpet.distillation.teacher_targets import teacher_targets
from limpet.models import AOTConfig, Model, build_model
from limpet.training.checkpoint import load_checkpoint
from limpet.training.loop import CHECKPOINT
from limpet.training.rollout import RolloutConfig

KINDS: tuple[FeatureKind, ...] = ("hints", "pefd", "mobilevos")
NOTHING_ELSE = DistillationLossConfig(logits="none", attention="none")


def wide_teacher() -> Model:
    """With wider tokens than the student's, so that only a projection can compare them."""
    config = replace(small_config(layers=2), propagation=replace(NARROW, channels=64))
    return lively_model(config, seed=1).eval().requires_grad_(False)


@pytest.fixture
def clips() -> tuple[Tensor, Tensor]:
    """Images (3, 2, 3, 65, 65) and masks of two clips with an object each."""
    masks = torch.zeros(3, 2, 65, 65, dtype=torch.long)
    masks[:, :, :30, :30] = 1
    return torch.randn(3, 2, 3, 65, 65), masks


def test_the_width_is_that_of_the_tokens(clips: tuple[Tensor, Tensor]) -> None:
    images, masks = clips
    aot = lively_model(AOTConfig(encoder=TINY, layers=2), seed=1).eval()
    for model in (wide_teacher(), aot):
        frame = teacher_targets(model, images, masks[0], [1, 1], with_tokens=True)[0]
        assert frame.tokens is not None and frame.tokens.shape == (2, token_width(model), 5, 5)
        assert teacher_targets(model, images, masks[0], [1, 1])[0].tokens is None
    with pytest.raises(ModelError, match="no feature-pyramid decoder"):
        token_width(torch.nn.Identity())  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_features_move_what_makes_the_tokens(kind: FeatureKind, clips: tuple[Tensor, Tensor]) -> None:
    images, masks = clips
    student = lively_model(small_config(), seed=2).eval()
    lesson = DistillationConfig(loss=NOTHING_ELSE, label_weight=0.0, features=kind)
    objective = OnlineDistillation(student, wide_teacher(), lesson)
    result = objective(images, masks, [1, 1], torch.arange(11).repeat(2, 1), RolloutConfig())
    assert result.loss.item() == pytest.approx(result.terms[f"features_{kind}"].item())
    result.loss.backward()
    moved = student.get_parameter("layers.0.long_term.projection.weight").grad
    assert moved is not None and moved.any()
    decoder = student.get_parameter("decoder.conv_out.weight").grad
    assert decoder is None or not decoder.any()
    helpers = list(objective.helpers.parameters())
    assert bool(helpers) == (kind != "mobilevos")
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in helpers)


def test_equal_tokens_are_nothing_to_learn_for_mobilevos() -> None:
    tokens = torch.randn(2, 8, 3, 3)
    labels = torch.zeros(2, 48, 48, dtype=torch.long)
    lesson = FeatureLoss("mobilevos", 8, 8)
    other = lesson(tokens, torch.randn(2, 8, 3, 3), labels)
    assert lesson(tokens, tokens, labels) < other


@pytest.fixture
def stills(tmp_path: Path) -> StillsFolder:
    return make_stills(tmp_path / "stills")


def run(folder: Path, stills: StillsFolder, resume: bool = False, steps: int = 4, stop_at: int = 0) -> Model:
    settings = DistillationRecord("t", "a" * 64, "s", DistillationConfig(loss=NOTHING_ELSE, features="pefd"))

    def stop(_: Model) -> float:
        raise KeyboardInterrupt

    torch.manual_seed(0)
    student = lively_model(small_config(), seed=2)
    training = tiny_run(steps=steps, save_every=2, score_every=stop_at)
    return distill(
        student, small_tracker(layers=2), settings, training, folder, stills, (), device="cpu", quiet=True,
        resume=resume, score=stop if stop_at else None,
    )  # fmt: skip


def test_projections_are_trained_resumed_and_left_out_of_the_model(
    tmp_path: Path, stills: StillsFolder
) -> None:
    whole = run(tmp_path / "whole", stills)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "halved", stills, stop_at=3)
    begun = load_checkpoint(tmp_path / "halved" / CHECKPOINT)
    halved = run(tmp_path / "halved", stills, resume=True)
    ended = load_checkpoint(tmp_path / "halved" / CHECKPOINT)
    assert (begun.step, ended.step) == (2, 4)
    assert begun.helpers and all(not torch.equal(ended.helpers[name], t) for name, t in begun.helpers.items())
    same = load_checkpoint(tmp_path / "whole" / CHECKPOINT).helpers
    assert all(torch.equal(ended.helpers[name], tensor) for name, tensor in same.items())
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), halved.parameters(), strict=True))
    assert set(whole.state_dict()) == set(build_model(small_config()).state_dict())


def test_lessons_that_cannot_be_are_refused() -> None:
    with pytest.raises(DataError, match="features is 'soup', expected one of none, hints, pefd, mobilevos"):
        DistillationConfig(features="soup")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="nothing would be learned from the teacher"):
        DistillationConfig(loss=NOTHING_ELSE)
    with pytest.raises(DataError, match="there are no features in them"):
        DistillationRecord("t", "a", "s", DistillationConfig(NOTHING_ELSE, features="hints", labels="cached"))
