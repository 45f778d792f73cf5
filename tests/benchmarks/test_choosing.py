"""The table of docs/choosing_a_model.md: rows with what was measured, scores by hash, and the page around them."""

from __future__ import annotations

import json
from pathlib import Path

import choosing
from choosing import BEGIN, END, Row, known_scores, measured, read_scores, with_table

from limpet.weights.weights_file import sha256
from limpet.weights.zoo import bundled_weights


def test_a_row_for_a_model_with_weights_and_one_without() -> None:
    path = bundled_weights("deaot-nano")
    assert path is not None
    digest = sha256(path)[:8]
    small, student = measured(
        ["deaot-nano", "mobilevos-mobilenet-v2"], 1, "fp32", {digest: "61.5"}, size=(64, 96)
    )
    assert (small.weights, small.score) == (f"ships ({digest})", "61.5")
    assert abs(small.megabytes - path.stat().st_size / 1e6) < 1e-6
    assert (student.weights, student.score, round(student.parameters, 1)) == ("none", "-", 2.5)
    assert all(len(row.milliseconds) == 2 and min(row.milliseconds) > 0 for row in (small, student))


def test_scores_are_known_by_the_weights_hash(tmp_path: Path) -> None:
    row = Row("a", "ships (0123abcd)", "71.5", 1.0, 2.0, 3.0, (4.0, 5.0))
    page = f"before\n{BEGIN}\nold\n{END}\nafter"
    made = with_table(page, [row], "about it")
    assert made.startswith("before\n") and made.endswith(f"\n\nabout it\n{END}\nafter") and "old" not in made
    assert known_scores(made) == {"0123abcd": "71.5"}
    assert with_table(made, [row], "about it") == made
    lines = [
        {"weights_sha256": "0123abcdef", "every": every, "j_and_f": {"score": score}}
        for every, score in ((1, 72.25), (3, 80.0), (1, None))
    ]
    (tmp_path / "scores").write_text("\n".join(map(json.dumps, lines)))
    assert read_scores([tmp_path / "scores"]) == {"0123abcd": "72.2"}


def test_the_page_has_a_table_that_can_be_replaced() -> None:
    page = choosing.PAGE.read_text()
    assert page.count(BEGIN) == page.count(END) == 1
