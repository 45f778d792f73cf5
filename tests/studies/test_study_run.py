"""Studies from their arms to their results: what is done is not done again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from limpet.core.errors import DataError, OutputError
from limpet.models import Model
from limpet.studies import study_run as runner
from limpet.studies.catalogue import STUDIES
from limpet.studies.conditions import Conditions, Start
from limpet.studies.render import as_markdown
from limpet.studies.study_run import StudyRun, run_study
from limpet.studies.table import make_table
from limpet.tracking.load import DEFAULT_MODEL
from limpet.tracking.tracker import Tracker
from limpet.training.loop import Run
from limpet.weights.weights_file import read_weights
from limpet.weights.zoo import bundled_weights

from .conftest import PRESETS, tiny_scale, write_model

MakeConditions = Callable[..., Conditions]


def start(
    conditions: Conditions, out: Path, study: str = "table-4", arms: int = 1, seeds: int = 1
) -> tuple[StudyRun, list[str]]:
    told: list[str] = []
    chosen = STUDIES[study].arms
    done = run_study(STUDIES[study], chosen[-arms:], seeds, conditions, out, told.append, quiet=True)
    return done, told


def test_runs_are_made_once_and_shared_between_studies(
    make_conditions: MakeConditions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conditions = make_conditions()
    done, told = start(conditions, tmp_path, seeds=2)
    first, second = done.results["cka"]
    assert told[:2] == ["table-4, cka, seed 0 (1 of 2)", "table-4, cka, seed 1 (2 of 2)"]
    assert {p.name for p in (tmp_path / "table-4/cka/seed0").iterdir()} == {
        "recipe.json", "distillation.json", "log.jsonl", "curves.png", "tensorboard", "cost.json",
        "weights.safetensors", "score.json",
    }  # fmt: skip
    assert (first.steps, first.copied_from) == (2, "") and first.seconds > 0 and 0 <= first.j_and_f <= 100
    weights = [read_weights(tmp_path / f"table-4/cka/seed{k}/weights.safetensors").tensors for k in (0, 1)]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0]), "seeds differ"
    assert first.recipe.seed == 0 and second.recipe.seed == 1
    assert list(done.references) == ["the teacher, deaot-l", "deaot-t-deformable before it learned"]

    monkeypatch.setattr(runner, "train_student", None)
    again, told = start(conditions, tmp_path, seeds=2)
    assert again.results == done.results and all("done before" in line for line in told)
    other, told = start(conditions, tmp_path, study="table-1", seeds=2)
    copy = other.results["deformable"][0]
    assert told[0] == "table-1, deformable, seed 0 (1 of 2): the same run as table-4/cka/seed0"
    assert copy == replace(first, copied_from="table-4/cka/seed0")
    assert (tmp_path / "table-1/deformable/seed0/log.jsonl").is_file()


def test_a_half_run_goes_on_and_other_settings_are_told(
    make_conditions: MakeConditions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conditions, save = make_conditions(), Run.save

    def save_and_stop(run: Run, step: int) -> None:
        save(run, step)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            start(conditions, tmp_path / "halved")
    place = tmp_path / "halved/table-4/cka/seed0"
    assert (place / "checkpoint.safetensors").is_file() and not (place / "score.json").exists()
    with pytest.raises(DataError, match=r"was made otherwise: .*stages\.distil\.steps was 2, is now 3"):
        start(make_conditions(scale=tiny_scale(steps=3)), tmp_path / "halved")
    done, _ = start(conditions, tmp_path / "halved")
    whole, _ = start(conditions, tmp_path / "whole")
    assert done.results["cka"][0].j_and_f == whole.results["cka"][0].j_and_f
    weights = [tmp_path / name / "table-4/cka/seed0/weights.safetensors" for name in ("halved", "whole")]
    halves, wholes = (read_weights(path).tensors for path in weights)
    assert all(torch.equal(halves[name], wholes[name]) for name in wholes)
    assert not (place / "checkpoint.safetensors").exists()


def test_arms_that_the_teacher_cannot_serve_are_skipped(
    make_conditions: MakeConditions, tmp_path: Path
) -> None:
    done, told = start(make_conditions(), tmp_path, study="table-8", arms=2)
    assert not done.results and not done.references and not told
    assert (
        "of the student's family, and deaot-l cannot teach aot-t; name another with --teacher"
        in done.skipped["ours"]
    )
    shallow = Tracker(make_conditions().start.student("deaot-t", 0), precision="fp32", name="deaot-t")
    table_5 = STUDIES["table-5"].arms
    reasons = [make_conditions(teacher=shallow).obstacle(arm) for arm in table_5]
    assert reasons[1] == "it needs map 2 of the teacher, and deaot-t has 1 layer"
    assert [reason is None for reason in reasons] == [True, False, False, True, False]
    assert make_conditions(teacher=None, no_teacher="none ships").obstacle(table_5[0]) == "none ships"


def test_the_last_map_and_map_3_are_one_recipe(make_conditions: MakeConditions) -> None:
    conditions = make_conditions()
    ours, map_3, map_1 = (
        conditions.recipe(arm, 0)
        for study, name in (("table-4", "cka"), ("table-5", "map-3"), ("table-5", "map-1"))
        for arm in STUDIES[study].arms
        if arm.name == name
    )
    assert ours == map_3 and ours != map_1


def test_a_folder_of_something_else_is_left_alone(make_conditions: MakeConditions, tmp_path: Path) -> None:
    folder = tmp_path / "table-4/cka/seed0"
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="has files that are not of a study; choose another --out"):
        start(make_conditions(), tmp_path)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_students_begin_alike(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Start.of(files / "start.safetensors", None)
    known = read_weights(files / "start.safetensors").tensors

    def same(student: Model, prefix: str = "") -> bool:
        state = student.state_dict()
        return all(torch.equal(state[name], known[name]) for name in known if name.startswith(prefix))

    one, other = begin.student("deaot-t-deformable", 0), begin.student("deaot-t-deformable", 1)
    assert same(one) and same(other) and same(begin.student("deaot-s", 0))
    fresh = "layers.0.long_term.sampling.offset_network.context.weight"
    assert not torch.equal(one.get_parameter(fresh), other.get_parameter(fresh)), "what is new has the seed's"
    assert not one.get_parameter(fresh.replace("context", "offsets")).any(), "offsets are at rest"
    aot = begin.student("aot-t", 0)
    assert same(aot, "encoder.") and set(aot.state_dict()) != set(one.state_dict())
    with pytest.raises(DataError, match="give --from or --encoder, not both"):
        Start.of(files, files)
    assert PRESETS["aot-t"].layers == 1


def test_plain_students_begin_with_a_deformable_start_without_its_offsets(tmp_path: Path) -> None:
    """As with the default model's weights, the start where none is named."""
    path = write_model(tmp_path / "start.safetensors", "deaot-t-deformable", seed=2)
    known = read_weights(path).tensors
    assert any(".sampling." in name for name in known)
    for name in ("deaot-t", "deaot-s"):
        state = Start.of(path, None).student(name, 0).state_dict()
        shared = [each for each in known if ".sampling." not in each]
        assert all(torch.equal(state[each], known[each]) for each in shared)
    assert Start.of(None, None).weights == bundled_weights(DEFAULT_MODEL)


def test_a_student_can_be_trained_without_a_teacher(make_conditions: MakeConditions, tmp_path: Path) -> None:
    conditions = make_conditions(teacher=None, no_teacher="none ships")
    study = STUDIES["mobilevos-table-5"]
    done = run_study(study, study.arms, 1, conditions, tmp_path, lambda _: None, quiet=True)
    assert list(done.results) == ["ce"] and done.skipped == dict.fromkeys(
        ("logit", "all", "weighted"), "none ships"
    )
    (recipe,) = [result.recipe for result in done.results["ce"]]
    assert recipe.distillation is None and recipe.student == "mobilevos-resnet-18"
    assert recipe.stages is not None and recipe.stages["distil"]["mask_loss"] == "poly_ce"
    assert not (tmp_path / "mobilevos-table-5/ce/seed0/distillation.json").exists()


def test_one_training_is_scored_with_each_length_of_the_queue(
    make_conditions: MakeConditions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, told = STUDIES["mobilevos-fig-4"], []
    run_study(study, study.arms[:1], 1, make_conditions(), tmp_path, told.append, quiet=True)
    first = tmp_path / "mobilevos-fig-4/first/seed0"
    log = [set(json.loads(line)) for line in (first / "log.jsonl").read_text().splitlines()]
    assert {"labels", "logits_kl", "representation"} <= log[0]
    monkeypatch.setattr("limpet.studies.student.distill", None)
    done = run_study(study, study.arms, 1, make_conditions(), tmp_path, told.append, quiet=True)
    assert told[-5] == "mobilevos-fig-4, previous, seed 0 (2 of 4): trained as mobilevos-fig-4/first/seed0"
    assert [done.results[arm.name][0].recipe.queue for arm in study.arms] == [arm.queue for arm in study.arms]
    weights = {
        (tmp_path / f"mobilevos-fig-4/{arm.name}/seed0/weights.safetensors").read_bytes()
        for arm in study.arms
    }
    assert len(weights) == 1
    page = as_markdown(make_table(done, make_conditions(), "limpet study mobilevos-fig-4"))
    assert "Students learned the masks of the clips" in page and "600,000 steps of batch 8" in page


def test_a_teacher_whose_map_has_no_name_cannot_teach(
    make_conditions: MakeConditions, monkeypatch: pytest.MonkeyPatch
) -> None:
    conditions = make_conditions()
    arm = STUDIES["mobilevos-table-5"].arms[-1]
    assert conditions.obstacle(arm) is None, "another family may teach"
    assert conditions.teacher is not None
    kind = type(conditions.teacher.model)
    monkeypatch.setattr(kind, "representation_channels", Model.representation_channels)
    assert "deaot-l cannot teach it: DeAOT does not name the map" in (conditions.obstacle(arm) or "")
