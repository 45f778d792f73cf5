"""Which studies there are, and that their arms differ in what they should."""

from __future__ import annotations

import pytest

from limpet.core.errors import DataError
from limpet.studies.catalogue import STUDIES, Arm, find_study


def arm(study: str, name: str) -> Arm:
    (found,) = [arm for arm in STUDIES[study].arms if arm.name == name]
    return found


def test_every_table_and_figure_is_there() -> None:
    assert list(STUDIES) == [f"table-{n}" for n in (1, 2, 4, 5, 6, 7, 8)] + ["fig-4", "fig-5"]
    for name, study in STUDIES.items():
        names = [arm.name for arm in study.arms]
        assert study.name == name and len(set(names)) == len(names) > 1
        assert all(part.replace("-", "").replace(".", "").isalnum() for part in names), "they are folders"
        assert any(arm.paper for arm in study.arms)


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


def test_an_unknown_study_is_told() -> None:
    with pytest.raises(DataError, match="there is no study 'table4'; did you mean table-4"):
        find_study("table4")
    with pytest.raises(DataError, match="there are table-1, table-2"):
        find_study("soup")
