"""The method of MobileVOS: every term against a loop over objects and frames, and whole runs of a few steps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from models.per_object import PerObjectConfig, lively_per_object
from networks import lively_model, small_config, small_tracker
from torch import Tensor
from training.tiny import make_stills, tiny_run

from limpet.data import StillsFolder
from limpet.distillation.boundary import near_outline
from limpet.distillation.config import (
    DistillationConfig,
    DistillationRecord,
    MobileVOSConfig,
    RepresentationLoss,
)
from limpet.distillation.distill_student import distill
from limpet.distillation.losses import representation_loss
from limpet.distillation.mobilevos import MobileVOSDistillation
from limpet.distillation.teacher_targets import teacher_targets
from limpet.models import Model
from limpet.training.checkpoint import CHECKPOINT, load_checkpoint
from limpet.training.rollout import ClipRun, RolloutConfig

COUNTS = [2, 1]
SLOTS = torch.arange(11).repeat(2, 1)
ALL_CELLS = MobileVOSConfig(sampled_cells=10_000)  # so that nothing is left to chance


def joint() -> Model:
    return lively_model(small_config(), seed=2).eval()


def per_object() -> Model:
    return lively_per_object(PerObjectConfig(channels=16), seed=2).eval()


def teacher_of(kind: str) -> Model:
    model = (
        lively_model(small_config(layers=2, gap=5), seed=1)
        if kind == "joint"
        else lively_per_object(PerObjectConfig(channels=8, long_term_gap=5), seed=1)
    )
    return model.eval().requires_grad_(False)


@pytest.fixture
def clips() -> tuple[Tensor, Tensor]:
    """Images (3, 2, 3, 65, 65) and masks (3, 2, 65, 65) of two clips with 2 objects and 1."""
    torch.manual_seed(3)
    masks = torch.zeros(3, 2, 65, 65, dtype=torch.long)
    masks[:, :, 10:30, 10:30] = 1
    masks[:2, 0, 35:, 30:] = 2  # out of sight in the last frame
    return torch.randn(3, 2, 3, 65, 65), masks


def method(**changes: Any) -> DistillationConfig:
    weight = changes.pop("label_weight", 1.0)
    return DistillationConfig(
        method="mobilevos", mobilevos=replace(ALL_CELLS, **changes), label_weight=weight
    )


def result_of(student: Model, teacher: Model, clips: tuple[Tensor, Tensor], **changes: Any) -> Any:
    torch.manual_seed(0)
    objective = MobileVOSDistillation(student, teacher, method(**changes))
    return objective(*clips, COUNTS, SLOTS, RolloutConfig(reference_weight=0.25)), objective


@pytest.mark.parametrize("teacher_kind", ["joint", "per object"])
@pytest.mark.parametrize("make_student", [joint, per_object])
def test_every_term_against_a_loop(
    make_student: Any, teacher_kind: str, clips: tuple[Tensor, Tensor]
) -> None:
    """Whether student or teacher has one map for all objects, or one for each."""
    images, masks = clips
    student, teacher = make_student(), teacher_of(teacher_kind)
    result, objective = result_of(student, teacher, clips, omega=0.7, label_weight=0.5)
    targets = teacher_targets(
        teacher, images, masks[0], COUNTS, slots=SLOTS, long_term_gap=1, with_representation=True
    )
    run = ClipRun(student, images, COUNTS, RolloutConfig(), SLOTS, with_representation=True)
    representations, kls = [], []
    for frame, target in zip(run.frames(masks[0], masks, with_reference=False), targets, strict=True):
        for b in range(2):
            kls.append(slow_kl(frame.full_logits[b], target.full_logits[b], masks[frame.frame_index, b]))
        found = []
        for b, objects in enumerate(COUNTS):
            for n in range(objects):
                ours = frame.representation[b, min(n, frame.representation.shape[1] - 1)][None]
                theirs = target.representation[b, min(n, target.representation.shape[1] - 1)][None]
                inside = masks[frame.frame_index, b] == n + 1
                cells = (
                    F.interpolate(inside[None, None].float(), size=ours.shape[-2:], mode="nearest-exact")[0]
                    > 0
                )
                near = near_outline(cells[None], 2)[0]
                found.append(
                    representation_loss(objective.helpers.embed(ours), theirs, cells.long(), 0.7, near).item()
                )
        representations.append(sum(found) / sum(COUNTS))
    assert representations[1] < representations[0], "an object that is out of sight counts as 0"
    assert result.terms["representation"].item() == pytest.approx(sum(representations) / 2, rel=1e-4)
    assert result.terms["logits_kl"].item() == pytest.approx(sum(kls) / 4, rel=1e-4)
    expected = 0.5 * result.terms["labels"] + result.terms["logits_kl"] + result.terms["representation"]
    expected += 0.25 * result.frame_losses[0].mean()
    assert result.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert result.terms["labels"].item() == pytest.approx(result.frame_losses[1:].mean().item(), rel=1e-5)


def slow_kl(student: Tensor, teacher: Tensor, mask: Tensor) -> float:
    """At temperature 0.1, over pixels at most 8 from the outline of an object."""
    near = torch.zeros_like(mask, dtype=torch.bool)
    for number in (1, 2):
        near |= near_outline((mask == number)[None, None], 8)[0, 0]
    found = [
        F.kl_div(
            (student[:, y, x] / 0.1).log_softmax(0), (teacher[:, y, x] / 0.1).softmax(0), reduction="sum"
        ).item()
        for y, x in near.nonzero().tolist()
    ]
    return sum(found) / len(found)


@pytest.mark.parametrize("kind", ["renyi", "hints", "attention-transfer"])
@pytest.mark.parametrize("make_student", [joint, per_object])
def test_each_way_to_compare_moves_what_the_last_layer_reads(
    make_student: Any, kind: RepresentationLoss, clips: tuple[Tensor, Tensor]
) -> None:
    student = make_student()
    changes = {"representation": kind, "logit_weight": 0.0, "label_weight": 0.0}
    result, objective = result_of(student, teacher_of("joint"), clips, **changes)
    assert result.terms["logits_kl"] == 0 < result.terms["representation"]
    result.loss.backward()
    moved = list(objective.helpers.parameters())
    assert bool(moved) == (kind != "attention-transfer")
    assert all(p.grad is not None and p.grad.isfinite().all() for p in moved)
    read = student.adapter if make_student is per_object else student.decoder.conv_4x.conv
    assert read.weight.grad is not None and read.weight.grad.any()


def test_a_teacher_alone_needs_no_true_labels(clips: tuple[Tensor, Tensor]) -> None:
    """With omega 1 and all pixels, what the masks of later frames say reaches the mask loss alone."""
    images, masks = clips
    garbage = masks.clone()
    garbage[1:] = (torch.rand(2, 2, 65, 65) < 0.5).long()
    settings = {"omega": 1.0, "sampling": "all"}
    one, other = (MobileVOSDistillation(joint(), teacher_of("joint"), method(**settings)) for _ in range(2))
    other.load_state_dict(one.state_dict())
    config = RolloutConfig(own_predictions=True)
    first, second = one(images, masks, COUNTS, SLOTS, config), other(images, garbage, COUNTS, SLOTS, config)
    for term in ("logits_kl", "representation"):
        assert torch.equal(first.terms[term], second.terms[term])
    assert first.terms["labels"] != second.terms["labels"], "else the test above proves nothing"
    one.settings = other.settings = method(omega=0.5, sampling="all")
    one.helpers.config = other.helpers.config = one.settings.mobilevos
    first, second = one(images, masks, COUNTS, SLOTS, config), other(images, garbage, COUNTS, SLOTS, config)
    assert first.terms["representation"] != second.terms["representation"]


def test_the_teacher_remembers_every_frame(
    clips: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher, seen = teacher_of("joint"), []
    propagate = type(teacher).propagate

    def watched(self: Model, features: Any, long_term: Any, *rest: Any) -> Any:
        if self is teacher:
            seen.append(long_term.frames)
        return propagate(self, features, long_term, *rest)

    monkeypatch.setattr(type(teacher), "propagate", watched)
    result_of(joint(), teacher, clips)
    assert seen == [1, 2]


def test_a_student_that_follows_the_loss_comes_nearer_to_its_teacher(clips: tuple[Tensor, Tensor]) -> None:
    student, teacher = joint(), teacher_of("joint")
    settings = method(omega=1.0, logit_weight=0.0, label_weight=0.0, feature_weight=1000.0)
    objective = MobileVOSDistillation(student, teacher, settings)
    optimizer = torch.optim.Adam(objective.parameters(), lr=3e-3)
    terms = []
    for _ in range(6):
        result = objective(*clips, COUNTS, SLOTS, RolloutConfig())
        optimizer.zero_grad()
        result.loss.backward()
        optimizer.step()
        terms.append(float(result.terms["representation"]))
    assert terms[-1] < 0.8 * terms[0]


@pytest.fixture
def stills(tmp_path: Path) -> StillsFolder:
    return make_stills(tmp_path / "stills")


def run(folder: Path, stills: StillsFolder, resume: bool = False, stop_at: int = 0, **changes: Any) -> Model:
    record = DistillationRecord("t", "a" * 64, "s", method(**changes))

    def stop(_: Model) -> float:
        raise KeyboardInterrupt

    torch.manual_seed(0)
    training = tiny_run(steps=4, save_every=2, score_every=stop_at, mask_loss="poly_ce", workers=0)
    return distill(
        lively_model(small_config(), seed=2), small_tracker(layers=2), record, training, folder, stills, (),
        device="cpu", quiet=True, resume=resume, score=stop if stop_at else None,
    )  # fmt: skip


def test_a_run_logs_its_terms_and_goes_on_as_if_undisturbed(tmp_path: Path, stills: StillsFolder) -> None:
    """Cells are drawn at random here, and the embedding is trained with the model."""
    few = {"sampled_cells": 40}
    whole = run(tmp_path / "whole", stills, **few)
    rows = [json.loads(line) for line in (tmp_path / "whole/log.jsonl").read_text().splitlines()]
    assert {"loss", "labels", "logits_kl", "representation"} <= set(rows[0])
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "halved", stills, stop_at=3, **few)
    halved = run(tmp_path / "halved", stills, resume=True, **few)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), halved.parameters(), strict=True))
    one, other = (load_checkpoint(tmp_path / name / CHECKPOINT).helpers for name in ("whole", "halved"))
    assert set(one) == {"embed.weight", "embed.bias"}
    assert all(torch.equal(one[name], other[name]) for name in one)
