"""The numbers that were typed in."""

from __future__ import annotations

from pathlib import Path

import pytest

from limpet.studies import mobilevos_paper, paper
from limpet.studies.paper import PaperScores

ROWS = {name: value for name, value in vars(paper).items() if isinstance(value, PaperScores)}
ROWS |= {f"lambda {value}": row for value, row in paper.LAMBDAS.items()}
ROWS |= {name: row for name, (row, _) in paper.OTHERS.items()}
THERE = [(name, split) for name in ROWS for split in ("davis16", "davis17") if getattr(ROWS[name], split)]
MISPRINTED = [("INTER_INTRA", "davis16")]  # 82.50, but its J and F have a mean of 82.80


@pytest.mark.parametrize(("name", "split"), THERE)
def test_j_and_f_is_the_mean_of_both(name: str, split: str) -> None:
    both, j, f = getattr(ROWS[name], split)
    agree = abs(both - (j + f) / 2) <= 0.0501
    assert agree != ((name, split) in MISPRINTED)


def test_every_number_is_in_the_paper(shared: Path) -> None:
    text = (shared / "papers" / "000_61d68e1c662ba888.txt").read_text()
    values = [v for row in ROWS.values() for triple in (row.davis16, row.davis17) if triple for v in triple]
    values += [v for row in ROWS.values() for v in (row.youtube18, row.youtube19) if v is not None]
    missing = [
        v for v in values if not any(form in text for form in (f"{v:.2f}", f"{v:.1f}", f"\t{v:.0f}\t"))
    ]
    assert not missing and len(values) > 100


def test_every_number_of_mobilevos_is_in_its_paper(shared: Path) -> None:
    text = (shared / "papers" / "002_b88b517722eaef6b.txt").read_text()
    rows = [row for row in vars(mobilevos_paper).values() if isinstance(row, PaperScores)]
    rows += mobilevos_paper.OMEGAS.values()
    values = [v for row in rows for part in (row.davis16, row.davis17) if part for v in part]
    values += [row.youtube19 for row in rows if row.youtube19 is not None]
    assert len(values) == 27
    assert [v for v in values if f"{v:.2f}" not in text and f"{v:.1f}" not in text] == []
