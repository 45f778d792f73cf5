"""Small bad and odd inputs, each with its outcome in the table of docs/bad_input.md.

After a change that is meant, ``LIMPET_WRITE_CORPUS=1`` has the page written again; read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .case import outcome_of
from .table import PAGE, all_cases, expected, page

CASES = all_cases()
OUTCOMES = expected()


@pytest.mark.parametrize("group", dict.fromkeys(group for group, _ in CASES))
def test_what_comes_is_what_the_table_says(group: str, tmp_path: Path) -> None:
    wrong = []
    for number, (key, case) in enumerate(CASES.items()):
        if key[0] != group:
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        found = outcome_of(case, folder)
        if os.environ.get("LIMPET_WRITE_CORPUS"):
            OUTCOMES[key] = found
        elif found != OUTCOMES.get(key):
            wrong.append(f"{key[1]}: {found!r} came, the table has {OUTCOMES.get(key)!r}")
    assert wrong == [], "if that is meant: LIMPET_WRITE_CORPUS=1, and read the difference"


def test_the_table_has_a_row_for_each_case_and_no_other() -> None:
    if os.environ.get("LIMPET_WRITE_CORPUS"):
        PAGE.write_text(page({key: OUTCOMES[key] for key in CASES}), encoding="utf-8")
    assert list(OUTCOMES) == list(CASES)
    assert len(CASES) >= 300


def test_most_are_refused_and_no_sentence_is_empty() -> None:
    words = [outcome.partition(": ") for outcome in OUTCOMES.values()]
    assert {kind for kind, _, _ in words} == {"read", "refused"} and all(rest for _, _, rest in words)
    assert sum(kind == "refused" for kind, _, _ in words) > 200
