"""Whole distillations of a few steps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from models.per_object import PerObjectConfig, lively_per_object
from networks import NARROW, lively_model, small_config, small_tracker
from tiny_encoder import TINY
from training.tiny import make_stills, tiny_run

from limpet.core.errors import DataError, ModelError
from limpet.data import StillsFolder
from limpet.distillation.config import FILE, DistillationConfig, DistillationLossConfig, DistillationRecord
from limpet.distillation.distill_student import check_models, distill
from limpet.models import DeAOTConfig, Model
from limpet.models.deformable import DeformableConfig

SETTINGS = DistillationRecord(teacher="deaot-l", teacher_sha256="a" * 64, student="deaot-t-deformable")
WITHOUT_ATTENTION = DistillationConfig(loss=DistillationLossConfig(attention="none"))


@pytest.fixture
def stills(tmp_path: Path) -> StillsFolder:
    return make_stills(tmp_path / "stills")


def student() -> Model:
    return lively_model(
        DeAOTConfig(encoder=TINY, propagation=replace(NARROW, deformable=DeformableConfig())), seed=2
    )


def start(
    folder: Path, stills: StillsFolder, settings: DistillationRecord = SETTINGS, **changes: Any
) -> Model:
    teacher = small_tracker(layers=2, gap=5)
    options = {name: changes.pop(name) for name in ("resume", "score") if name in changes}
    return distill(
        student(),
        teacher,
        settings,
        tiny_run(**changes),
        folder,
        stills,
        (),
        device="cpu",
        quiet=True,
        **options,
    )


def log_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_run_learns_logs_every_term_and_draws_its_curves(tmp_path: Path, stills: StillsFolder) -> None:
    before, average = student(), start(tmp_path / "run", stills)
    rows = log_of(tmp_path / "run")
    assert [row["step"] for row in rows] == list(range(6))
    assert {"loss", "inter", "intra", "attention_cka", "labels"} <= set(rows[0])
    assert (tmp_path / "run" / "curves.png").is_file()
    moved = [name for name, p in average.named_parameters() if not torch.equal(p, before.get_parameter(name))]
    assert any(name.startswith("decoder.") for name in moved)


def test_a_resumed_run_ends_like_an_undisturbed_one(tmp_path: Path, stills: StillsFolder) -> None:
    whole = start(tmp_path / "whole", stills)
    calls = []

    def stop(model: Model) -> float:
        calls.append(model)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "halved", stills, score=stop, score_every=4)
    halved = start(tmp_path / "halved", stills, resume=True)
    for name, parameter in whole.named_parameters():
        assert torch.equal(parameter, halved.get_parameter(name)), name


def test_cached_labels_need_no_teacher_pass(
    tmp_path: Path, stills: StillsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("limpet.distillation.objective.teacher_targets", None)
    settings = replace(SETTINGS, settings=replace(WITHOUT_ATTENTION, labels="cached"))
    start(tmp_path / "run", stills, settings)
    assert {"loss", "inter", "intra", "labels"} <= set(log_of(tmp_path / "run")[0])


def test_cached_labels_have_no_attention() -> None:
    with pytest.raises(DataError, match="use attention='none', or labels='online'"):
        DistillationConfig(labels="cached")
    assert DistillationConfig.from_options({"labels": "cached"}).loss.attention == "none"
    with pytest.raises(DataError, match="labels is 'both', expected one of online, cached"):
        DistillationConfig(labels="both")  # type: ignore[arg-type]


def test_a_changed_setting_is_told_when_resuming(tmp_path: Path, stills: StillsFolder) -> None:
    start(tmp_path / "run", stills, steps=3)
    weighed = DistillationConfig(DistillationLossConfig(attention_weight=2.0), label_weight=0.5)
    message = r"was begun with other settings: attention_weight was 1.5, is now 2.0; label_weight was 1.0, is now 0.5"
    with pytest.raises(DataError, match=message):
        start(tmp_path / "run", stills, replace(SETTINGS, settings=weighed), resume=True)
    with pytest.raises(DataError, match=r"begun with other models: teacher_sha256 was 'a+', is now 'b+'"):
        start(tmp_path / "run", stills, replace(SETTINGS, teacher_sha256="b" * 64), resume=True)
    kept = json.loads((tmp_path / "run" / FILE).read_text())
    assert kept["settings"]["loss"]["attention_weight"] == 1.5


def test_clips_have_no_more_objects_than_the_teacher_holds(tmp_path: Path, stills: StillsFolder) -> None:
    teacher = small_tracker()
    narrow = lively_model(replace(small_config(), max_objects=1))
    teacher.model.config, teacher.config = narrow.config, narrow.config
    teacher.model = narrow.eval()
    settings = replace(SETTINGS, settings=WITHOUT_ATTENTION)
    average = distill(
        student(),
        teacher,
        settings,
        tiny_run(steps=2),
        tmp_path / "run",
        stills,
        (),
        device="cpu",
        quiet=True,
    )
    assert all(parameter.isfinite().all() for parameter in average.parameters())


def test_two_models_that_a_method_cannot_compare_are_refused(
    tmp_path: Path, stills: StillsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    mobilevos = replace(SETTINGS, settings=DistillationConfig(method="mobilevos"))
    per_object = lively_per_object(PerObjectConfig())
    check_models(per_object, student(), mobilevos)
    check_models(student(), per_object, mobilevos)
    check_models(student(), student(), SETTINGS)
    check_models(per_object, student(), replace(SETTINGS, settings=WITHOUT_ATTENTION))
    with pytest.raises(
        ModelError, match=r"compares attention maps, and deaot-l has none; use attention='none', or"
    ):
        check_models(student(), per_object, SETTINGS)
    with monkeypatch.context() as patch:
        patch.setattr(type(student().config), "align_corners", property(lambda self: self.layers == 1))
        with pytest.raises(ModelError, match=r"see images of different sizes .* use attention='none'"):
            check_models(student(), lively_model(small_config(layers=2)), SETTINGS)
    monkeypatch.setattr(type(per_object), "representation_channels", Model.representation_channels)
    message = (
        r"maps that the last layers read, and deaot-l cannot take part: PerObject does not name the map .* "
        r"use method='attention', or other models"
    )
    with pytest.raises(ModelError, match=message):
        check_models(student(), per_object, mobilevos)
    teacher = small_tracker()
    teacher.model = per_object.eval()
    with pytest.raises(ModelError, match="cannot take part"):
        distill(
            student(), teacher, mobilevos, tiny_run(), tmp_path / "run", stills, (), device="cpu", quiet=True
        )
    assert not (tmp_path / "run").exists()
