"""What a scale costs, and that the paper's is the paper's."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from limpet.core.errors import DataError
from limpet.studies.scale import MOBILEVOS_SCALES, SCALES, dry, find_scale


def test_the_papers_recipe() -> None:
    scale = find_scale("paper")
    stills, videos = (stage.training for stage in scale.stages)
    assert (stills.steps, videos.steps) == (100_000, 130_000)
    assert {(t.clips.batch, t.clips.size, t.clips.frames) for t in (stills, videos)} == {(16, 465, 5)}
    assert (stills.clips.video_prob, videos.clips.video_prob) == ((0.0, 0.0), (1.0, 1.0))
    assert (stills.learning_rate, videos.learning_rate) == (4e-4, 2e-4)
    assert (scale.teacher, scale.max_size, scale.stride) == ("r50-deaot-l", 480, 1)


def test_steps_can_be_others_and_nothing_else_changes() -> None:
    usual, short = find_scale("mini"), find_scale("mini", steps=7)
    assert short.summary == f"{usual.summary}; here with 7 steps per stage"
    assert usual.seeds >= 3 and short.stages[0].training.steps == 7
    assert replace(short.stages[0].training, steps=usual.stages[0].training.steps) == usual.stages[0].training


@pytest.mark.parametrize("name", SCALES)
def test_a_dry_run_is_small_and_otherwise_the_same(name: str) -> None:
    scale = find_scale(name)
    for before, after in zip(scale.stages, dry(scale, 3).stages, strict=True):
        old, new = asdict(before.training), asdict(after.training)
        clips = {key for key in old["clips"] if old["clips"][key] != new["clips"][key]}
        assert clips == {"size", "batch"} and new["steps"] == 3
        assert {key for key in old if old[key] != new[key]} - {"log_every"} == {"steps", "clips"}


def test_an_unknown_scale_is_told() -> None:
    with pytest.raises(DataError, match="there is no scale 'huge'; expected one of mini, small, paper"):
        find_scale("huge")


def test_the_recipe_of_mobilevos() -> None:
    scale = find_scale("paper", paper="mobilevos")
    stills, videos = scale.stages
    assert (stills.taught, videos.taught, scale.teacher) == (False, True, "stcn")
    assert videos.training.steps == 600_000 and videos.training.clips.batch == 8
    for stage in scale.stages:
        assert (stage.training.learning_rate, stage.training.weight_decay) == (1e-5, 1e-7)
        assert stage.training.teacher_forcing_until == 0.0 and stage.training.encoder_lr_ratio == 1.0
    assert [s.taught for s in dry(scale, 3).stages] == [False, True]
    assert set(MOBILEVOS_SCALES) == set(SCALES)
    mini = find_scale("mini", steps=7, paper="mobilevos")
    assert mini.stages[0].training.steps == 7 and mini.seeds >= 3
