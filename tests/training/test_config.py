"""The settings of a training: bounds, defaults, and their way through JSON."""

from __future__ import annotations

import json

import pytest

from limpet.core.errors import DataError
from limpet.data import ClipConfig
from limpet.training.config import TrainConfig


def test_the_defaults_are_the_recipe_of_the_papers() -> None:
    """AOT, section 4, and its code, per GPU."""
    config = TrainConfig()
    assert (config.clips.frames, config.clips.size, config.clips.batch) == (5, 465, 4)
    assert (config.learning_rate, config.min_learning_rate, config.weight_decay) == (2e-4, 2e-5, 0.07)
    assert (config.max_grad_norm, config.encoder_lr_ratio, config.teacher_forcing_until) == (5.0, 0.1, 0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps is 0, expected a number of at least 1"),
        ({"min_learning_rate": 1e-3}, r"min_learning_rate is 0\.001, above the peak learning_rate 0\.0002"),
        ({"min_learning_rate": 0.0}, r"min_learning_rate is 0\.0, expected a number above 0"),
        ({"warmup_ratio": 1.5}, r"warmup_ratio is 1\.5, expected a number from 0 to 1"),
        ({"aux_loss_until": -0.5}, r"aux_loss_until is -0\.5, expected a number from 0 to 1"),
        ({"teacher_forcing_until": 2}, "teacher_forcing_until is 2, expected a number from 0 to 1"),
        ({"ema_horizon": -1}, "ema_horizon is -1, expected a number from 0 to 1"),
        ({"long_term_gap": 0}, "long_term_gap is 0, expected a number of at least 1"),
        ({"precision": "fp8"}, "precision is 'fp8', expected one of auto, bf16-mixed, 32-true"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        TrainConfig(**settings)  # type: ignore[arg-type]


def test_settings_survive_json() -> None:
    config = TrainConfig(steps=7, clips=ClipConfig(size=65, max_frame_gap=(1, 9), video_prob=(0.25, 1.0)))
    assert TrainConfig.from_json(json.loads(json.dumps(config.as_json()))) == config
