"""One training step against the reference's loss and gradients (golden/README.md, section 7)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forced import golden_model
from golden import arrays, clip, normalise
from torch import Tensor, nn

from limpet.models import Model
from limpet.models.blocks import DropPath
from limpet.models.frozen_norm import freeze
from limpet.training.config import TrainConfig
from limpet.training.rollout import ClipRun, rollout
from limpet.training.schedule import rollout_config
from limpet.weights.official import UNUSED, family_of, our_name

MODELS = {"deaott": "deaot-t", "deaotl": "deaot-l", "aott": "aot-t"}
STEPS = {"plain_step0": 0, "prevpred_step60000": 60_000, "shuffle_step25000": 25_000}
# Rounding decides on which side of a kink of ReLU6 a few activations lie: other kernels, and double precision, move
# single norms by up to 1e-3. The predictions that are fed back are the reference's own, since one flipped pixel moves
# gradients by up to 3 %, and rounding decides on pixels too.
NORM_TOLERANCE = 3e-3
NOTHING = 1e-6  # biases of keys cancel in the softmax: what is left of their gradients is rounding


def inputs() -> tuple[Tensor, Tensor, list[int]]:
    """Images (5, 2, 3, 129, 129), masks (5, 2, 129, 129) and numbers of objects: two crops of one clip."""
    source = clip("clip_a_129x225_3obj")
    images, masks = normalise(source.frames[:5]), torch.from_numpy(source.masks[:5]).long()
    right = (masks[..., 96:225] - 1).clamp_min(0)  # id 1 is dropped, 2 and 3 become 1 and 2
    return (
        torch.stack([images[..., :129], images[..., 96:225]], dim=1),
        torch.stack([masks[..., :129], right], dim=1),
        [3, 2],
    )


def slots_tensor(listed: list[list[int]] | None) -> Tensor | None:
    return None if listed is None else torch.tensor([[0, *row] for row in listed])


@pytest.fixture(scope="module", params=MODELS)
def reference(request: pytest.FixtureRequest, shared: Path) -> tuple[Model, dict[str, Any], dict[str, Any]]:
    """The network as the reference trains it, and what the reference stored."""
    folder = shared / "golden" / request.param
    model = golden_model(MODELS[request.param], folder).train()
    for module in model.modules():
        if isinstance(module, DropPath):
            module.rate = 0.0
        if isinstance(module, nn.Dropout2d):
            module.p = 0.0
    freeze(model.encoder, TrainConfig().frozen_stages)
    return model, json.loads((folder / "train.json").read_text()), arrays(folder, "train")


@pytest.mark.parametrize("case", STEPS)
def test_loss_and_gradients(
    reference: tuple[Model, dict[str, Any], dict[str, Any]], case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, facts, stored = reference
    fed_back = iter(torch.from_numpy(stored[f"{case}/masks"]).long()[1:])  # T-1 of (B, H, W)
    monkeypatch.setattr(ClipRun, "_identify_predicted", lambda run, *_: run._identify(next(fed_back)))
    expected = facts["cases"][case]
    gap = None if model.config.long_term_gap is None else facts["train_long_term_gap"]
    settings = rollout_config(TrainConfig(steps=facts["total_steps"]), STEPS[case], gap)
    images, masks, counts = inputs()
    model.zero_grad()
    result = rollout(model, images, masks, counts, settings, slots_tensor(expected["id_slots"]))
    result.loss.backward()

    assert result.loss.item() == pytest.approx(expected["loss_mean"], rel=1e-5)
    torch.testing.assert_close(
        result.frame_losses, torch.tensor(expected["per_frame_loss"]), rtol=1e-5, atol=1e-5
    )
    flipped = int((result.masks.numpy() != stored[f"{case}/masks"]).sum())
    assert flipped <= 5
    gradients = by_official_name(model, [*facts["frozen"], *expected["grad_norm"]])
    frozen = sum(not parameter.requires_grad for parameter in model.parameters())
    assert frozen == len(facts["frozen"])
    assert all(gradients[name] is None for name in facts["frozen"])
    check_norms(gradients, expected["grad_norm"], NORM_TOLERANCE)
    check_stored(gradients, case, stored, NORM_TOLERANCE)


def by_official_name(model: Model, names: list[str]) -> dict[str, Tensor | None]:
    """The gradient of every parameter, each under the name that the reference gives it."""
    family, ours = family_of(names), dict(model.named_parameters())
    used = [name for name in names if name != UNUSED.get(family)]
    assert {our_name(name, family) for name in used} == set(ours)
    return {name: ours[our_name(name, family)].grad for name in used}


def check_norms(
    gradients: dict[str, Tensor | None], norms: dict[str, float | None], tolerance: float
) -> None:
    """Every parameter's gradient has the reference's length; none where the reference has none."""
    for official, gradient in gradients.items():
        expected = norms.get(official)  # none of a frozen parameter
        if expected is None:
            assert gradient is None, f"{official} has a gradient, but the reference has none"
        elif expected > NOTHING:
            assert gradient is not None, f"{official} has no gradient"
            assert gradient.norm().item() == pytest.approx(expected, rel=tolerance), official


def check_stored(
    gradients: dict[str, Tensor | None], case: str, stored: dict[str, np.ndarray], tolerance: float
) -> None:
    """The gradients that are stored, every n-th value of them, point the same way too."""
    names = [key for key in stored if key.startswith(f"{case}/grad/")]
    assert len(names) >= 4
    for key in names:
        gradient = gradients[key.removeprefix(f"{case}/grad/")]
        assert gradient is not None
        thinned = gradient.flatten()[:: max(1, gradient.numel() // 4000)].numpy()
        distance = np.linalg.norm(thinned - stored[key]) / np.linalg.norm(stored[key])
        assert distance < tolerance, f"{key} is off by {distance:.1e} of its length"
