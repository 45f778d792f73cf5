"""Means and spreads, the page, and the pictures, from results that were made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from limpet.studies.catalogue import STUDIES
from limpet.studies.conditions import Conditions
from limpet.studies.plots import draw_study, term
from limpet.studies.render import as_markdown, on_screen, write_report
from limpet.studies.study_run import StudyRun
from limpet.studies.table import Spread, StudyTable, make_table

from .test_result import RESULT

MakeConditions = Callable[..., Conditions]


def results(*scores: float) -> list:  # type: ignore[type-arg]
    return [replace(RESULT, j_and_f=score) for score in scores]


@pytest.fixture
def table(make_conditions: MakeConditions) -> StudyTable:
    """Table 4 with three seeds of KL and one of CKA."""
    run = StudyRun(
        STUDIES["table-4"],
        {"kl": results(60.0, 61.0, 65.0), "cka": results(58.5)},
        {},
        {"the teacher": RESULT},
    )
    return make_table(run, make_conditions(), "limpet study table-4")


def test_spread() -> None:
    assert Spread.of([60.0, 61.0, 65.0]) == Spread(62.0, pytest.approx(7**0.5))
    assert Spread.of([5.0]) == Spread(5.0, None)


def test_the_page_has_the_papers_figures_beside_ours(table: StudyTable) -> None:
    page = as_markdown(table)
    assert "| KL-divergence | - | 54.65 / 52.10 / 57.20 | - | - | 62.00 ± 2.65 | 70.00 ± 0.00 |" in page
    assert "| CKA | - | 72.75 / 69.90 / 75.60 | - | - | 58.50 | 70.00 |" in page
    assert "Order in the paper (DAVIS-17 val J&F): CKA > KL-divergence." in page
    assert "Order here: KL-divergence > CKA." in page
    assert "cannot be compared in level, only in order" in page
    assert "    limpet study table-4" in page and "a" * 64 in page and "Commit abc" in page
    widths = {line.count("|") for line in page.splitlines() if line.startswith("|")}
    assert len(widths) == 1, "a ragged table"


def test_ours_is_put_in_order_with_the_split_of_the_study(make_conditions: MakeConditions) -> None:
    study = STUDIES["mobilevos-table-5"]
    run = StudyRun(study, {"ce": results(60.0), "all": results(58.5)}, {}, {})
    table = make_table(run, make_conditions(), "limpet study mobilevos-table-5")
    page = as_markdown(table)
    assert "| L_xe | - | - | - | 80.75 | 60.00 |" in page
    assert "Order in the paper (YouTube-VOS 2019 J&F): L_xe + L_logit + L_repr > L_xe." in page
    assert "Order here: L_xe > L_xe + L_logit + L_repr." in page
    poly = make_table(
        StudyRun(STUDIES["mobilevos-table-7"], {"with": results(1.0)}, {}, {}), make_conditions(), "c"
    )
    assert "| with | 89.80 | 80.10 | - | - | 1.00 |" in as_markdown(poly)


def test_what_was_not_run_says_why(make_conditions: MakeConditions) -> None:
    run = StudyRun(STUDIES["table-8"], {}, {"conventional": "no teacher", "ours": "no teacher"}, {})
    page = as_markdown(make_table(run, make_conditions(), "c"))
    assert "- Ours: not run; no teacher." in page and "67.25 / 66.70 / 67.80" in page
    assert "Order here" not in page


def test_files_and_screen(table: StudyTable, tmp_path: Path) -> None:
    markdown, plain = write_report(table, tmp_path)
    assert markdown.read_text() == as_markdown(table)
    content = json.loads(plain.read_text())
    assert content["rows"][0]["j_and_f"]["mean"] == 62.0 and content["facts"]["teacher_sha256"] == "a" * 64
    assert on_screen(table).row_count == 3


def test_every_kind_of_picture_is_drawn(table: StudyTable, tmp_path: Path) -> None:
    for arm, name in (("kl", "attention_kl"), ("cka", "attention_cka")):
        folder = tmp_path / arm / "seed0"
        folder.mkdir(parents=True)
        rows = [{"step": s, "loss": 3.0 - s, "inter": 1.0, name: 1 / (1 + s)} for s in range(3)]
        (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    drawn = {}
    for kind in ("scores", "memory", "curves"):
        with Image.open(draw_study(kind, table, tmp_path)) as picture:  # type: ignore[arg-type]
            drawn[kind] = picture.convert("RGB").tobytes()
    assert len(set(drawn.values())) == 3


def test_terms_of_a_log_are_added() -> None:
    log = [{"step": 0, "inter": 1.0, "intra": 0.5}, {"step": 1, "score": 70.0}, {"step": 2, "inter": 0.25}]
    assert term(log, ("inter", "intra")) == {0: 1.5, 2: 0.25}
