"""Results on disk: read back, compared, and shared between studies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from limpet.core.errors import DataError
from limpet.distillation.config import DistillationRecord
from limpet.studies.result import (
    Recipe,
    Result,
    begin_run,
    copy_of,
    expect_recipe,
    find_trained,
    find_twin,
    read_result,
    write_result,
)
from limpet.training.config import TrainConfig

RESULT = Result(
    recipe=Recipe({"score": "davis:val"}, 240, 3, student="s", stages={"distil": {"steps": 2}}),
    j_and_f=71.0, j=70.0, f=72.0, frames_per_second=9.0, parameters=1_000_000, peak_mb=80.0, steps=2, seconds=3.0,
    commit="abc", version="1", machine="m", date="d",
)  # fmt: skip


def put(folder: Path, result: Result = RESULT) -> None:
    folder.mkdir(parents=True)
    write_result(result, folder)


def test_a_result_comes_back(tmp_path: Path) -> None:
    assert read_result(tmp_path) is None
    put(tmp_path / "run")
    assert read_result(tmp_path / "run") == RESULT
    (tmp_path / "run" / "score.json").write_text('{"recipe": 1}')
    with pytest.raises(DataError, match=r"score\.json is not a result of this version .*remove it"):
        read_result(tmp_path / "run")


def test_another_recipe_is_told(tmp_path: Path) -> None:
    expect_recipe(RESULT.recipe, RESULT.recipe, tmp_path)
    other = replace(RESULT.recipe, stages={"distil": {"steps": 9}})
    with pytest.raises(
        DataError, match=r"was made otherwise: stages\.distil\.steps was 2, is now 9; repeat it"
    ):
        expect_recipe(other, RESULT.recipe, tmp_path)


def test_a_twin_is_found_in_another_study_and_is_no_copy(tmp_path: Path) -> None:
    put(
        tmp_path / "table-1/deformable/seed0", replace(RESULT, recipe=replace(RESULT.recipe, student="other"))
    )
    assert find_twin(tmp_path, RESULT.recipe) is None
    put(tmp_path / "table-2/a/seed0", copy_of(RESULT, tmp_path / "gone/b/seed0", tmp_path))
    assert find_twin(tmp_path, RESULT.recipe) is None
    put(tmp_path / "table-2/ours/seed0")
    assert find_twin(tmp_path, RESULT.recipe) == (tmp_path / "table-2/ours/seed0", RESULT)
    copied = copy_of(RESULT, tmp_path / "table-2/ours/seed0", tmp_path)
    assert copied.copied_from == "table-2/ours/seed0" and copied.j_and_f == RESULT.j_and_f


def test_a_recipe_names_only_what_applies(tmp_path: Path) -> None:
    begin_run(tmp_path / "run", RESULT.recipe)
    assert json.loads((tmp_path / "run" / "recipe.json").read_text()) == {
        "data": {"score": "davis:val"}, "max_size": 240, "stride": 3, "student": "s",
        "stages": {"distil": {"steps": 2}},
    }  # fmt: skip
    begin_run(tmp_path / "run", RESULT.recipe)
    with pytest.raises(DataError, match="stride was 3, is now 1; repeat it"):
        begin_run(tmp_path / "run", replace(RESULT.recipe, stride=1))


def test_a_recipe_of_before_a_setting_came_is_the_same_recipe(tmp_path: Path) -> None:
    record = DistillationRecord("deaot-l", "a" * 64, "deaot-t").as_json()
    stages = {"distil": TrainConfig(steps=2).as_json()}
    today = Recipe({"score": "davis:val"}, 240, 3, distillation=record, stages=stages, seed=0)
    then = json.loads(json.dumps(today.as_json()))
    del then["distillation"]["settings"]["mobilevos"], then["distillation"]["settings"]["method"]
    del then["stages"]["distil"]["keep_every"]
    put(tmp_path / "a/b/run", replace(RESULT, recipe=Recipe(**then)))
    found = read_result(tmp_path / "a/b/run")
    assert found is not None and found.recipe == today
    assert find_twin(tmp_path, today) is not None
    (tmp_path / "half").mkdir()
    (tmp_path / "half/recipe.json").write_text(json.dumps(then))
    begin_run(tmp_path / "half", today)
    with pytest.raises(DataError, match="seed was 0, is now 1"):
        begin_run(tmp_path / "half", replace(today, seed=1))


def test_weights_that_were_scored_in_another_way_are_found(tmp_path: Path) -> None:
    put(tmp_path / "a/b/run")
    trained = RESULT.recipe
    assert find_trained(tmp_path, replace(trained, queue="first", stride=1)) == tmp_path / "a/b/run"
    assert find_trained(tmp_path, replace(trained, queue="first", seed=3)) is None
    put(tmp_path / "a/a/run", replace(RESULT, copied_from="a/b/run"))
    assert find_trained(tmp_path, replace(trained, queue="first")) == tmp_path / "a/b/run", (
        "a copy has no weights"
    )
    assert find_twin(tmp_path, replace(trained, queue="first")) is None
