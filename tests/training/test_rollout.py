"""Runs along clips: what feeds the memory, what slots mean, and that a rollout is what the tracker does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden import normalise
from models.per_object import PerObjectConfig, lively_per_object
from networks import frames, lively_model, mask_of, small_config, tokens_of
from torch import Tensor

from limpet.models import DeAOT
from limpet.models.base import Model
from limpet.tracking.tracker import Tracker
from limpet.training.losses import ce_jaccard_loss
from limpet.training.rollout import RolloutConfig, rollout
from limpet.training.schedule import id_permutation

T, B = 4, 2
COUNTS = [3, 2]


def example() -> tuple[Tensor, Tensor]:
    """Images (4, 2, 3, 65, 97) and masks (4, 2, 65, 97): objects that drift to the right, three and two."""
    images = torch.stack([normalise(np.stack(frames(T, seed=b))) for b in range(B)], dim=1)
    first = [mask_of(*range(1, count + 1)) for count in COUNTS]
    masks = np.stack([np.stack([np.roll(mask, 3 * t, axis=1) for mask in first]) for t in range(T)])
    return images, torch.from_numpy(masks).long()


def what_is_read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tensor, Tensor]]:
    """The values of long-term and of short-term memory in the last layer, for every frame from now on."""
    given: list[tuple[Tensor, Tensor]] = []
    propagate = DeAOT.propagate

    def watched(self: DeAOT, features: object, long_term: object, short_term: object) -> object:
        given.append((long_term[-1].value, short_term[-1].value))  # type: ignore[index]
        return propagate(self, features, long_term, short_term)  # type: ignore[arg-type]

    monkeypatch.setattr(DeAOT, "propagate", watched)
    return given


@pytest.fixture(scope="module")
def model() -> DeAOT:
    return lively_model(small_config(layers=2)).eval()


def test_shapes_and_the_sum_of_the_losses(model: DeAOT) -> None:
    images, masks = example()
    result = rollout(model, images, masks, COUNTS, RolloutConfig(reference_weight=0.4, top_k_fraction=0.5))
    assert result.frame_losses.shape == (T, B) and not result.frame_losses.requires_grad
    assert result.masks.shape == (T, B, 65, 97)
    assert result.masks[:, 0].max() == 3 and result.masks[:, 1].max() == 2, "unused slots never win"
    each = result.frame_losses
    expected = (0.4 * each[0] + each[1:].mean(dim=0)).mean()
    assert result.loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_clips_of_a_batch_do_not_touch(model: DeAOT) -> None:
    images, masks = example()
    together = rollout(model, images, masks, COUNTS, RolloutConfig()).frame_losses
    for b in range(B):
        alone = rollout(model, images[:, b : b + 1], masks[:, b : b + 1], COUNTS[b : b + 1], RolloutConfig())
        torch.testing.assert_close(together[:, b], alone.frame_losses[:, 0], rtol=1e-4, atol=1e-4)


def test_the_loss_is_that_of_the_scores_by_id(model: DeAOT) -> None:
    """The auxiliary loss, computed anew from the model's parts, one clip after the other."""
    images, masks = example()
    result = rollout(model, images, masks, COUNTS, RolloutConfig(top_k_fraction=0.3))
    for b, count in enumerate(COUNTS):
        features = model.encode(images[0, b : b + 1])
        planes = F.one_hot(masks[0, b : b + 1], 11).permute(0, 3, 1, 2).float()
        tokens, _, _ = model.refer(features, model.identify(planes))
        scores = model.decode(tokens, features)[:, : count + 1]
        large = F.interpolate(scores, size=(65, 97), mode="bilinear", align_corners=True)
        expected = ce_jaccard_loss(large, masks[0, b : b + 1], 0.3).item()
        assert result.frame_losses[0, b].item() == pytest.approx(expected, rel=1e-4)


def test_own_predictions_take_the_place_of_the_truth(model: DeAOT) -> None:
    images, masks = example()
    forced = rollout(model, images, masks, COUNTS, RolloutConfig())
    own = rollout(model, images, masks, COUNTS, RolloutConfig(own_predictions=True))
    torch.testing.assert_close(own.frame_losses[:2], forced.frame_losses[:2])  # frame 0 is given to both
    assert (own.frame_losses[2:] - forced.frame_losses[2:]).abs().min() > 1e-4
    fed = torch.cat([masks[:1], own.masks[1:]])
    again = rollout(model, images, fed, COUNTS, RolloutConfig())
    assert torch.equal(again.masks, own.masks), "the truth is replaced by the predictions and by nothing else"


def test_the_identity_bank_may_learn_from_own_predictions(model: DeAOT) -> None:
    images, masks = example()
    model.zero_grad()
    settings = RolloutConfig(own_predictions=True, train_id_bank_throughout=True)
    rollout(model, images, masks, COUNTS, settings).loss.backward()
    gradient = model.id_bank.patches.weight.grad
    assert gradient is not None and gradient.abs().sum() > 0


def test_own_predictions_leave_the_identity_bank_without_gradient(model: DeAOT) -> None:
    images, masks = example()
    for own in (False, True):
        model.zero_grad()
        rollout(model, images, masks, COUNTS, RolloutConfig(own_predictions=own)).loss.backward()
        assert (model.id_bank.patches.weight.grad is None) == own
        assert model.encoder_projector.weight.grad is not None


def test_the_long_term_memory_grows_by_the_gap(model: DeAOT, monkeypatch: pytest.MonkeyPatch) -> None:
    images, masks = example()
    seen: list[int] = []
    propagate = DeAOT.propagate

    def watched(self: DeAOT, features: object, long_term: object, short_term: object) -> object:
        seen.append(long_term[0].key.shape[1] // tokens_of())  # type: ignore[index]
        return propagate(self, features, long_term, short_term)  # type: ignore[arg-type]

    monkeypatch.setattr(DeAOT, "propagate", watched)
    for gap in (None, 1, 2, 3):
        rollout(model, images, masks, COUNTS, RolloutConfig(long_term_gap=gap))
    assert seen == [1, 1, 1, 1, 2, 3, 1, 1, 2, 1, 1, 1]


def test_the_newest_memory_is_in_front(model: DeAOT, monkeypatch: pytest.MonkeyPatch) -> None:
    images, masks = example()
    given = what_is_read(monkeypatch)
    rollout(model, images, masks, COUNTS, RolloutConfig(long_term_gap=1))
    assert torch.equal(given[1][0], torch.cat([given[1][1], given[0][0]], dim=1))
    assert torch.equal(given[2][0], torch.cat([given[2][1], given[1][1], given[0][0]], dim=1))


def test_mistakes_are_in_the_frame_before_and_not_in_the_reference(
    model: DeAOT, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, masks = example()
    given = what_is_read(monkeypatch)
    rollout(model, images, masks, COUNTS, RolloutConfig())
    rollout(model, images, masks, COUNTS, RolloutConfig(mask_corruption_prob=1.0))
    right, mistaken = given[: T - 1], given[T - 1 :]
    assert torch.equal(right[0][0], right[0][1])
    for (reference, before), (same, spoiled) in zip(right, mistaken, strict=True):
        assert torch.equal(reference, same)
        assert not torch.equal(before, spoiled)


def test_long_term_memory_remembers_what_was_predicted(model: DeAOT, monkeypatch: pytest.MonkeyPatch) -> None:
    images, masks = example()
    given = what_is_read(monkeypatch)
    settings = RolloutConfig(own_predictions=True, long_term_gap=1)
    rollout(model, images, masks, COUNTS, settings)
    wrong = torch.cat([masks[:1], masks[1:].flip(3)])
    rollout(model, images, wrong, COUNTS, settings)
    first, again = given[: T - 1], given[T - 1 :]
    for (one, _), (other, _) in zip(first, again, strict=True):
        assert torch.equal(one, other), "the truth of later frames is in no memory"
    rollout(model, images, masks, COUNTS, settings._replace(own_predictions=False))
    assert not torch.equal(given[-1][0], first[-1][0])


@pytest.mark.parametrize("own", [False, True], ids=["given masks", "own predictions"])
def test_mistakes_stay_in_long_term_memory(model: DeAOT, monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    images, masks = example()
    given = what_is_read(monkeypatch)
    settings = RolloutConfig(own_predictions=own, long_term_gap=1)
    rollout(model, images, masks, COUNTS, settings)
    rollout(model, images, masks, COUNTS, settings._replace(mask_corruption_prob=1.0))
    right, mistaken = given[: T - 1], given[T - 1 :]
    tokens = mistaken[0][0].shape[1]
    for t in range(1, T - 1):
        newest, reference = mistaken[t][0][:, :tokens], mistaken[t][0][:, -tokens:]
        assert torch.equal(newest, mistaken[t][1]), "as in the memory of the frame before"
        assert not torch.equal(newest, right[t][0][:, :tokens])
        assert torch.equal(reference, right[0][0]), "the reference is given, and right"


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_mistakes_are_in_remembered_probabilities_too(
    monkeypatch: pytest.MonkeyPatch, probability: float
) -> None:
    images, masks = example()
    model = lively_per_object(PerObjectConfig(), seed=1).eval()
    remembered: list[Tensor] = []
    identify = type(model).identify

    def watched(self: Model, planes: Tensor) -> Tensor:
        remembered.append(planes)
        return identify(self, planes)

    monkeypatch.setattr(type(model), "identify", watched)
    settings = RolloutConfig(own_predictions=True, mask_corruption_prob=probability)
    predicted = rollout(model, images, masks, COUNTS, settings).masks
    for t in range(1, T):
        planes = remembered[t - T]
        wrong = planes.argmax(dim=1) != predicted[t]
        assert bool(wrong.any()) == (probability > 0)
        assert (planes.amax(dim=1)[wrong] == 1).all(), "a piece is given to another as a whole"


def test_the_reference_is_elsewhere_in_long_term_memory_alone(
    model: DeAOT, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, masks = example()
    torch.manual_seed(5)
    given = what_is_read(monkeypatch)
    usual = rollout(model, images, masks, COUNTS, RolloutConfig(reference_weight=1.0))
    moved = rollout(
        model, images, masks, COUNTS, RolloutConfig(reference_augmented=True, reference_weight=1.0)
    )
    assert not torch.equal(given[0][0], given[T - 1][0])
    assert torch.equal(given[0][1], given[T - 1][1]), "the frame before is where it was"
    assert moved.frame_losses[0].isfinite().all()
    assert not torch.equal(moved.frame_losses[0], usual.frame_losses[0]), "of the frame that was shown"


def test_slots_only_say_where_an_id_lives() -> None:
    """Ids in other slots of a bank whose slots moved along give the same run."""
    images, masks = example()
    model = lively_model().eval()
    order = id_permutation(10, 10, torch.Generator().manual_seed(3))
    moved = lively_model().eval()
    with torch.no_grad():
        moved.id_bank.patches.weight[:, order] = model.id_bank.patches.weight
        moved.decoder.conv_out.weight[order] = model.decoder.conv_out.weight
        moved.decoder.conv_out.bias[order] = model.decoder.conv_out.bias
    expected = rollout(model, images, masks, COUNTS, RolloutConfig(own_predictions=True))
    found = rollout(moved, images, masks, COUNTS, RolloutConfig(own_predictions=True), order.expand(B, -1))
    torch.testing.assert_close(found.frame_losses, expected.frame_losses, rtol=1e-4, atol=1e-4)
    assert (found.masks != expected.masks).float().mean() < 1e-3
    elsewhere = rollout(model, images, masks, COUNTS, RolloutConfig(), order.expand(B, -1))
    assert (elsewhere.frame_losses - expected.frame_losses).abs().min() > 1e-4, "other slots, other vectors"


def test_each_clip_has_slots_of_its_own(model: DeAOT) -> None:
    images, masks = example()
    identity, other = torch.arange(11), id_permutation(10, 10)
    plain = rollout(model, images, masks, COUNTS, RolloutConfig())
    mixed = rollout(model, images, masks, COUNTS, RolloutConfig(), torch.stack([identity, other]))
    torch.testing.assert_close(mixed.frame_losses[:, 0], plain.frame_losses[:, 0])
    assert (mixed.frame_losses[:, 1] - plain.frame_losses[:, 1]).abs().min() > 1e-4


@pytest.mark.parametrize("own", [False, True], ids=["given masks", "own predictions"])
def test_checkpointing_gives_the_same_gradients(own: bool) -> None:
    images, masks = example()
    model = lively_model(small_config(layers=2)).train()
    gradients = []
    for gradient_checkpointing in (False, True):
        settings = RolloutConfig(
            own, 0.5, 0.5, long_term_gap=2, gradient_checkpointing=gradient_checkpointing
        )
        torch.manual_seed(5)  # dropout is part of what must be repeated
        model.zero_grad()
        result = rollout(model, images, masks, COUNTS, settings, id_permutation(10, 10).expand(B, -1))
        result.loss.backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, expected in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], expected, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize("gap", [None, 2])
def test_training_runs_the_same_loop_as_the_tracker(gap: int | None) -> None:
    model = lively_model(small_config(layers=2, gap=gap)).eval()
    video, first = frames(T), mask_of(1, 2, 3)
    tracker = Tracker(model, precision="fp32")
    state = tracker.start(video[0], first)
    images = normalise(np.stack(video)).unsqueeze(1)
    masks = torch.from_numpy(first).long().expand(T, 1, -1, -1)
    settings = RolloutConfig(own_predictions=True, long_term_gap=gap)
    with torch.no_grad():
        trained = rollout(model, images, masks, [3], settings).masks
    for t in range(1, T):
        mask, state = tracker.step(video[t], state)
        assert (mask != trained[t, 0].numpy()).mean() < 1e-3, f"frame {t}"


def test_clips_that_cannot_be_run_are_refused(model: DeAOT) -> None:
    images, masks = example()
    with pytest.raises(
        ValueError, match="a clip has 1 frame, expected at least 2: one to learn from, one to predict"
    ):
        rollout(model, images[:1], masks[:1], COUNTS, RolloutConfig())
    message = (
        "a clip has 11 objects but the model holds 10 at once; sample fewer objects or raise max_objects"
    )
    with pytest.raises(ValueError, match=message):
        rollout(model, images, masks, [3, 11], RolloutConfig())
