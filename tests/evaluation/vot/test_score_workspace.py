"""Our measures of a workspace's results are those that the toolkit has computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from limpet.core.errors import DataError
from limpet.evaluation.vot.score_workspace import score_workspace
from limpet.evaluation.vot.tables import measures_of, toolkit_measures

from .box_workspace import TRACKERS, write_workspace

RECORDED = Path(__file__).parent
TOLERANCE = 1e-9


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_measures_are_those_of_the_toolkit(kind: str, tmp_path: Path) -> None:
    write_workspace(tmp_path, multiobject=kind == "multi")
    theirs = toolkit_measures(RECORDED / f"recorded_{kind}.json")
    results = score_workspace(tmp_path)
    assert {(result.tracker, result.experiment) for result in results} == theirs.keys()
    assert len(results) == len(TRACKERS) * (2 if kind == "multi" else 3)
    for result in results:
        assert result.score is not None and result.missing == 0
        expected = theirs[result.tracker, result.experiment]
        measures = measures_of(result.score)
        assert measures.keys() == expected.keys()
        for name, value in measures.items():
            assert value == pytest.approx(expected[name], abs=TOLERANCE), (result.tracker, name)
    values = {value for result in results for value in measures_of(result.score).values()}  # type: ignore[arg-type]
    assert len(values) > 8, "trackers that all have the same measures would test little"


def test_an_absence_that_is_too_short_has_no_quality(tmp_path: Path) -> None:
    write_workspace(tmp_path, multiobject=True)
    (tmp_path / "sequences" / "list.txt").write_text("a\nb\n")  # in those the object is always there
    assert all(result.score.absence is None for result in score_workspace(tmp_path))  # type: ignore[union-attr]


def test_missing_runs_are_counted(tmp_path: Path) -> None:
    write_workspace(tmp_path, multiobject=False)
    (tmp_path / "results/late/baseline/b/b_00000009.txt").unlink()
    late, other = score_workspace(tmp_path, ["late", "lost"])[:2]
    assert (late.score, late.missing, late.runs) == (None, 1, 9)
    assert other.score is not None


def test_a_workspace_without_results(tmp_path: Path) -> None:
    write_workspace(tmp_path, multiobject=False)
    with pytest.raises(DataError, match="has no results of nobody; make them with: vot evaluate"):
        score_workspace(tmp_path, ["nobody"])


def test_a_sequence_without_anchors(tmp_path: Path) -> None:
    write_workspace(tmp_path, multiobject=False)
    (tmp_path / "sequences/a/anchor.value").unlink()
    with pytest.raises(DataError, match="the sequence a has no anchors"):
        score_workspace(tmp_path)
