"""Which studies there are, and that their arms differ in what they should."""

from __future__ import annotations

from dataclasses import replace

import pytest

from limpet.core.errors import DataError
from limpet.studies.arms import Arm
from limpet.studies.catalogue import STUDIES, find_study


def arm(study: str, name: str) -> Arm:
    (found,) = [arm for arm in STUDIES[study].arms if arm.name == name]
    return found


def test_every_table_and_figure_is_there() -> None:
    first = [f"table-{n}" for n in (1, 2, 4, 5, 6, 7, 8)] + ["fig-4", "fig-5"]
    parts = ("fig-4", "table-5", "table-6", "table-7", "table-8", "fig-5", "fig-9")
    assert list(STUDIES) == first + [f"mobilevos-{part}" for part in parts]
    for name, study in STUDIES.items():
        names = [arm.name for arm in study.arms]
        assert study.name == name and len(set(names)) == len(names) > 1
        assert all(part.replace("-", "").replace(".", "").isalnum() for part in names), "they are folders"
        assert any(arm.paper for arm in study.arms) or "picture" in study.remark


def test_arms_differ_in_one_thing() -> None:
    ours = arm("table-1", "deformable")
    assert ours.distillation.loss.attention_weight == 1.5 and ours.distillation.label_weight == 0, (
        "eq. 12 has no other term"
    )
    assert arm("table-1", "vanilla").distillation == ours.distillation
    for study, name in (
        ("table-2", "ours"), ("table-4", "cka"), ("table-6", "all"), ("table-7", "lambda-1.5"), ("fig-5", "cka")
    ):  # fmt: skip
        assert (arm(study, name).distillation, arm(study, name).student) == (
            ours.distillation,
            ours.student,
        ), study
    assert (
        arm("table-2", "dist").distillation
        == arm("table-6", "inter-intra").distillation
        == arm("table-5", "logit").distillation
    )
    assert [arm("table-2", n).distillation.features for n in ("pefd", "mobilevos", "hints")] == [
        "pefd", "mobilevos", "hints"
    ]  # fmt: skip
    assert [a.distillation.loss.attention_weight for a in STUDIES["table-7"].arms] == [0.5, 1.0, 1.5, 2.0]
    assert [a.distillation.maps[0][1].layer for a in STUDIES["table-5"].arms[:3]] == [0, 1, 2]
    assert (
        not arm("table-5", "logit").distillation.pairs
        and arm("table-5", "attention").distillation.loss.logits == "none"
    )


def test_arms_of_mobilevos_differ_in_one_thing() -> None:
    ours = arm("mobilevos-table-5", "all").distillation
    assert ours is not None and ours.method == "mobilevos" and ours.mobilevos.omega == 0.0
    for study, name in (("mobilevos-table-6", "omega-0.0"), ("mobilevos-fig-9", "ours")):
        assert arm(study, name) == replace(
            arm("mobilevos-table-5", "all"),
            name=name,
            title=arm(study, name).title,
            paper=arm(study, name).paper,
        )
    parts = [arm("mobilevos-fig-9", name).distillation for name in ("hints", "attention-transfer")]
    assert [part.mobilevos.representation for part in parts if part] == ["hints", "attention-transfer"]
    logit = arm("mobilevos-table-5", "logit").distillation
    assert logit is not None and logit.mobilevos == replace(ours.mobilevos, representation="none")
    assert arm("mobilevos-table-5", "ce").distillation is None
    weighted = arm("mobilevos-table-5", "weighted").distillation
    assert weighted is not None and weighted.mobilevos == replace(ours.mobilevos, feature_weight=1024)
    assert [a.mask_loss for a in STUDIES["mobilevos-table-7"].arms] == ["poly_ce", "ce"]
    assert [a.distillation is None for a in STUDIES["mobilevos-table-8"].arms] == [True, False, True, False]
    queues = STUDIES["mobilevos-fig-4"].arms
    assert len({a.queue for a in queues}) == 4 and len({(a.distillation, a.student) for a in queues}) == 1
    assert arm("mobilevos-table-8", "small").distillation == arm("mobilevos-fig-5", "boundary").distillation
    assert all(a.paper is None for a in STUDIES["mobilevos-fig-5"].arms)


def test_an_unknown_study_is_told() -> None:
    with pytest.raises(DataError, match="there is no study 'table4'; did you mean table-4"):
        find_study("table4")
    with pytest.raises(DataError, match="there are table-1, table-2"):
        find_study("soup")
