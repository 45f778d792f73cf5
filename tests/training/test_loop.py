"""Short runs on a tiny data set: exact resume, what is logged, the average, and losses that are no numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from networks import lively_model, lively_stcn
from PIL import Image
from torch import Tensor

from limpet.core.errors import DataError
from limpet.data import ClipBatch, StillsFolder, TrainingClips
from limpet.models import DeAOT
from limpet.models.devos import DeVOS, DeVOSConfig
from limpet.models.frozen_norm import FrozenBatchNorm2d
from limpet.models.stcn import STCNConfig
from limpet.models.transformer import TransformerConfig
from limpet.tensor_files import read_tensors
from limpet.training import loop
from limpet.training import rollout as objective
from limpet.training.checkpoint import load_checkpoint, resumed_config
from limpet.training.config import TrainConfig
from limpet.training.loop import CHECKPOINT, Run, lightning_precision, make_fabric, train
from limpet.training.schedule import ema_decay, learning_rate

from .tiny import CLIPS, make_stills, tiny_run


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> StillsFolder:
    return make_stills(tmp_path_factory.mktemp("stills"))


def start(
    folder: Path,
    stills: StillsFolder | None,
    config: TrainConfig | None = None,
    seed: int = 0,
    **options: Any,
) -> tuple[DeAOT, DeAOT]:
    """Train; the model and its average."""
    model = lively_model(seed=seed)
    average = train(model, config or tiny_run(), folder, stills, [], device="cpu", quiet=True, **options)
    return model, average


def log_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def same(one: DeAOT, other: DeAOT) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def before_step(
    monkeypatch: pytest.MonkeyPatch, when: int, action: Callable[[Run], None]
) -> Callable[[], None]:
    """Let ``action`` happen just before step ``when``; returns what undoes it."""
    original = Run.step

    def step(self: Run, number: int, batch: ClipBatch) -> dict[str, float]:
        if number == when:
            action(self)
        return original(self, number, batch)

    monkeypatch.setattr(Run, "step", step)
    return lambda: monkeypatch.setattr(Run, "step", original)


@pytest.mark.usefixtures("curves_are_drawn")
def test_a_run_leaves_a_log_a_picture_and_a_checkpoint(tmp_path: Path, stills: StillsFolder) -> None:
    model, average = start(tmp_path / "deep" / "run", stills)
    folder = tmp_path / "deep" / "run"
    rows = log_of(folder)
    assert [row["step"] for row in rows] == list(range(6))
    config = tiny_run()
    for row in rows:
        assert set(row) == {"step", "loss", "gradient norm", "learning rate"}
        assert math.isfinite(row["loss"]) and row["gradient norm"] > 0
        assert row["learning rate"] == pytest.approx(learning_rate(config, int(row["step"])))
    with Image.open(folder / "curves.png") as picture:
        assert picture.format == "PNG" and picture.width > picture.height > 100
    found = load_checkpoint(folder / CHECKPOINT)
    assert (found.step, found.config) == (6, config)
    assert all(torch.equal(found.model[name], tensor) for name, tensor in model.state_dict().items())
    assert all(torch.equal(found.average[name], tensor) for name, tensor in average.state_dict().items())
    assert list((folder / "tensorboard").iterdir())
    assert not [path for path in folder.iterdir() if path.name.startswith(".")], "no temporary file is left"


def test_training_changes_what_learns_and_nothing_else(tmp_path: Path, stills: StillsFolder) -> None:
    model, average = start(tmp_path, stills)
    fresh = lively_model().state_dict()
    learned = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, fresh[name])}
    assert frozen and all(name.startswith("encoder.") for name in frozen)
    assert changed == learned
    assert not average.training and not any(p.requires_grad for p in average.parameters())


@pytest.mark.parametrize("crash_at", [3, 5])
def test_a_resumed_run_equals_an_undisturbed_one(
    tmp_path: Path, stills: StillsFolder, monkeypatch: pytest.MonkeyPatch, crash_at: int
) -> None:
    """Stopped after the checkpoint of step 3, also when steps after it were logged already."""
    expected = start(tmp_path / "whole", stills)

    def crash(_: Run) -> None:
        raise KeyboardInterrupt

    mend = before_step(monkeypatch, crash_at, crash)
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "cut", stills)
    mend()
    assert load_checkpoint(tmp_path / "cut" / CHECKPOINT).step == 3
    assert [row["step"] for row in log_of(tmp_path / "cut")] == list(range(crash_at))
    found = start(tmp_path / "cut", stills, seed=9, resume=True)
    for whole, resumed in zip(expected, found, strict=True):
        assert same(whole, resumed)
    assert log_of(tmp_path / "cut") == log_of(tmp_path / "whole"), "each step once, with the same numbers"


def test_a_log_cut_short_is_no_obstacle(tmp_path: Path, stills: StillsFolder) -> None:
    start(tmp_path, stills)
    whole = log_of(tmp_path)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    start(tmp_path, stills, resume=True)
    assert log_of(tmp_path) == whole


def test_a_finished_run_can_be_resumed_and_prolonged(tmp_path: Path, stills: StillsFolder) -> None:
    model, average = start(tmp_path, stills)
    again = start(tmp_path, stills, seed=9, resume=True)
    assert same(again[0], model) and same(again[1], average)
    start(tmp_path, stills, tiny_run(steps=8), resume=True)
    assert [row["step"] for row in log_of(tmp_path)] == list(range(8))
    assert load_checkpoint(tmp_path / CHECKPOINT).config.steps == 8


def test_rates_and_length_may_change_when_resuming_and_the_rest_stays(
    tmp_path: Path, stills: StillsFolder
) -> None:
    start(tmp_path, stills, tiny_run(steps=3, learning_rate=1e-3, weight_decay=0.05))
    start(tmp_path, stills, tiny_run(steps=4, learning_rate=5e-4, weight_decay=0.05), resume=True)
    config = load_checkpoint(tmp_path / CHECKPOINT).config
    assert (config.steps, config.learning_rate, config.weight_decay) == (4, 5e-4, 0.05)
    fixed = tiny_run(steps=5, weight_decay=0.01, clips=replace(CLIPS, seed=3, batch=2))
    message = r"batch was 1, is now 2; seed was 0, is now 3; weight_decay was 0\.05, is now 0\.01; resume it without"
    with pytest.raises(DataError, match=message):
        start(tmp_path, stills, fixed, resume=True)


def test_settings_that_were_not_given_are_those_of_the_checkpoint(
    tmp_path: Path, stills: StillsFolder
) -> None:
    begun = tiny_run(steps=3, weight_decay=0.05)
    start(tmp_path, stills, begun)
    assert resumed_config(TrainConfig(), tmp_path, ()) == begun
    longer = replace(begun, steps=9)
    assert resumed_config(TrainConfig(steps=9), tmp_path, ("steps", "weight_decay_of_another")) == longer
    with pytest.raises(DataError, match=r"weight_decay was 0\.05, is now 0\.07"):
        resumed_config(TrainConfig(), tmp_path, ("steps", "weight_decay"))


def test_what_cannot_be_resumed_is_refused(tmp_path: Path, stills: StillsFolder) -> None:
    with pytest.raises(DataError, match=r"there is no checkpoint at .*; start without resume=True"):
        start(tmp_path / "none", stills, resume=True)
    start(tmp_path / "run", stills, tiny_run(steps=1))
    message = r"the run in .* was begun with other settings: model was 'deaot-t', is now 'deaot-s'"
    with pytest.raises(DataError, match=message):
        start(tmp_path / "run", stills, tiny_run(model="deaot-s"), resume=True)
    path = tmp_path / "run" / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="is damaged and cannot be resumed from"):
        start(tmp_path / "run", stills, resume=True)


def test_training_on_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are neither photos nor videos to make clips of"):
        start(tmp_path, None)


def spoil_weights(run: Run) -> None:
    with torch.no_grad():
        run.model.encoder_projector.weight.fill_(float("nan"))


def spoil_gradient(run: Run) -> None:
    run.model.encoder_projector.weight.register_hook(lambda grad: grad * float("inf"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_weights, "the loss is nan and the gradient's norm nan at step 4; the last checkpoint is kept"),
        (
            spoil_gradient,
            r"the loss is \d+\.\d+ and the gradient's norm (inf|nan) at step 4; the last checkpoint",
        ),
    ],
    ids=["loss", "gradient"],
)
def test_a_number_that_is_none_stops_the_run_and_keeps_the_checkpoint(
    tmp_path: Path,
    stills: StillsFolder,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Run], None],
    message: str,
) -> None:
    mend = before_step(monkeypatch, 4, spoil)
    with pytest.raises(DataError, match=message):
        start(tmp_path, stills)
    mend()
    kept = load_checkpoint(tmp_path / CHECKPOINT)
    assert kept.step == 3
    _, clips = read_tensors(tmp_path / "clips-of-step-4.safetensors")
    assert clips["images"].shape == (2, 1, 3, 65, 65), "the clips are kept to be looked at"
    assert clips["masks"].any()
    assert all(tensor.isfinite().all() for part in (kept.model, kept.average) for tensor in part.values())
    model, _ = start(tmp_path, stills, resume=True)
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_the_average_follows_the_weights(tmp_path: Path, stills: StillsFolder) -> None:
    config = tiny_run(steps=50)
    fabric = loop.make_fabric("cpu", 1, config.precision)
    run = Run(lively_model(), config, tmp_path, fabric, None)
    clips = loop.TrainingClips(config.clips, stills)
    expected = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    for step in range(3):
        run.step(step, clips.batch(step))
        decay = ema_decay(config, step)
        for name, tensor in run.model.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * tensor
    for name, tensor in run.average.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], msg=lambda text, n=name: f"{n}: {text}")
    assert not same(run.average, run.model)


def test_the_average_is_that_of_plain_interpolation(tmp_path: Path, stills: StillsFolder) -> None:
    """To the last digit, also where a run goes on, and with frozen weights."""
    config = tiny_run(steps=40, precision="32-true")
    fabric = loop.make_fabric("cpu", 1, config.precision)
    run = Run(lively_model(), config, tmp_path, fabric, None)
    expected = [parameter.detach().clone() for parameter in run.model.parameters()]
    for step in range(7):
        with torch.no_grad():
            for parameter in run.model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=float(parameter.requires_grad))
            learned = [p.detach() for p in run.model.parameters()]
            torch._foreach_lerp_(expected, learned, 1 - ema_decay(config, step))
        if step == 4:
            run.save(4)
            run = Run(run.model, config, tmp_path, fabric, load_checkpoint(tmp_path / CHECKPOINT))
        run.ema.update_parameters(run.model)
        assert all(map(torch.equal, run.average.parameters(), expected)), step
    assert not any(parameter.requires_grad for parameter in run.average.parameters())


def test_scores_are_logged_when_they_are_due(tmp_path: Path, stills: StillsFolder) -> None:
    scored: list[DeAOT] = []

    def score(model: DeAOT) -> float:
        scored.append(model)
        return 10.0 * len(scored)

    _, average = start(tmp_path, stills, tiny_run(steps=5, score_every=2, log_every=3), score=score)
    rows = log_of(tmp_path)
    assert [(row["step"], row["score"]) for row in rows if "score" in row] == [(1, 10), (3, 20), (4, 30)]
    assert [row["step"] for row in rows if "loss" in row] == [0, 3]
    assert all(model is average for model in scored), "the average is scored, not the last weights"


def test_nothing_is_logged_or_saved_when_told_so(tmp_path: Path, stills: StillsFolder) -> None:
    start(tmp_path, stills, tiny_run(steps=2, log_every=0, save_every=0))
    assert {path.name for path in tmp_path.iterdir()} <= {"tensorboard", "log.jsonl"}
    assert not (tmp_path / "log.jsonl").exists() or not log_of(tmp_path)


def test_half_precision_trains_too(tmp_path: Path, stills: StillsFolder) -> None:
    model, _ = start(tmp_path, stills, tiny_run(steps=2, precision="bf16-mixed"))
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert all(math.isfinite(row["loss"]) for row in log_of(tmp_path))


def test_own_predictions_begin_where_the_settings_say(
    tmp_path: Path, stills: StillsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, float, int | None]] = []
    rollout = objective.rollout

    def watched(
        model: DeAOT, images: Tensor, masks: Tensor, counts: list[int], config: Any, slots: Tensor
    ) -> Any:
        seen.append((config.own_predictions, config.reference_weight, config.long_term_gap))
        assert sorted(slots[0].tolist()) == list(range(11)), "each clip's ids get random slots"
        return rollout(model, images, masks, counts, config, slots)

    monkeypatch.setattr(objective, "rollout", watched)
    start(tmp_path, stills, tiny_run(steps=4, teacher_forcing_until=0.5, aux_loss_until=0.5))
    assert seen == [(False, 1.0, None), (False, 0.5, None), (True, 0.0, None), (True, 0.0, None)]


@pytest.mark.parametrize("fast, expected", [(True, "bf16-mixed"), (False, "32-true")])
def test_precision_follows_the_device(monkeypatch: pytest.MonkeyPatch, fast: bool, expected: str) -> None:
    monkeypatch.setattr(loop, "has_bf16", lambda device: fast and device.type == "cpu")
    assert lightning_precision("auto", "cpu") == expected
    assert lightning_precision("bf16-mixed", "cpu") == "bf16-mixed", "what is asked for is taken"


def test_stcn_trains_by_its_recipe(tmp_path: Path, stills: StillsFolder) -> None:
    """Narrow: in eval mode but for the gradients, memory of every frame, its own soft masks, norms that learn."""
    config = tiny_run(
        steps=12, model="stcn", clips=replace(CLIPS, size=64, frames=3, max_objects=2), teacher_forcing_until=0.0,
        aux_loss_until=0.0, mask_loss="ce", train_norms=True, save_every=0, frozen_stages=0,
    )  # fmt: skip
    model = lively_stcn(
        STCNConfig(
            encoder="resnet-18",
            key_channels=16,
            value_channels=16,
            decoder_widths=(16, 16, 8),
            long_term_gap=5,
        )
    )
    norm = next(part for part in model.value_encoder.modules() if isinstance(part, FrozenBatchNorm2d))
    before = norm.weight.clone(), norm.running_mean.clone(), norm.running_var.clone()
    train(model, config, tmp_path, stills, [], device="cpu", quiet=True)
    losses = [line["loss"] for line in log_of(tmp_path)]
    assert len(losses) == 12
    assert sum(losses[-4:]) < sum(losses[:4])
    assert not torch.equal(norm.weight, before[0]), "scales learn"
    assert torch.equal(norm.running_mean, before[1]) and torch.equal(norm.running_var, before[2])


def test_the_flow_encoder_is_frozen_with_the_identity_bank(tmp_path: Path, stills: StillsFolder) -> None:
    """From the step on whose memories are the network's own (phase 2 of DeVOS)."""
    config = tiny_run(model="devos-t", flow="match", steps=2, teacher_forcing_until=0.5)
    small = TransformerConfig(channels=32, heads=4, hidden_channels=64)
    model = DeVOS(DeVOSConfig(flow="match", transformer=small))
    run = Run(model, config, tmp_path / "run", make_fabric("cpu", 1, "32-true"), None)
    clips = TrainingClips(config.clips, stills)
    learned = []
    for step in range(2):
        run.step(step, clips.batch(step))
        learned.append([parameter.requires_grad for parameter in run.model.flow_encoders[0].parameters()])
    assert all(learned[0]) and not any(learned[1])
