from __future__ import annotations

from pathlib import Path

import pytest

from limpet.core.errors import OutputError
from limpet.evaluation.evaluation_folder import EvaluationFolder, stamp_of
from limpet.evaluation.scores import ObjectScores
from limpet.evaluation.video_result import VideoResult

from .tiny import box, save_ids

RESULT = VideoResult("a/b", (ObjectScores("a/b", 1, (0.5,), (0.25,), ("1",), (True,)),), ("1",), answered=1)


def test_results_are_kept_for_the_next_run(tmp_path: Path) -> None:
    first = EvaluationFolder(tmp_path / "out", {"split": "val"}, keeps_masks=False)
    assert first.result("a/b") is None
    first.keep(RESULT)
    first.release()
    again = EvaluationFolder(tmp_path / "out", {"split": "val"}, keeps_masks=False)
    assert again.result("a/b") == RESULT
    assert again.result("a/b", "other masks") is None
    (tmp_path / "out/videos/a/b.json").write_text('{"stamp": "", "result": {"na')
    assert again.result("a/b") is None, "what is damaged is computed again"


def test_a_video_is_done_when_its_masks_are_there(tmp_path: Path) -> None:
    folder = EvaluationFolder(tmp_path, {}, keeps_masks=True)
    folder.keep(RESULT)
    assert folder.result("a/b") is None
    save_ids(tmp_path / "masks/a/b/.1.torn.png", box(2, 2))
    assert folder.result("a/b") is None, "a killed run was writing it"
    save_ids(tmp_path / "masks/a/b/1.png", box(2, 2))
    assert folder.result("a/b") == RESULT


def test_other_settings_and_other_files_are_refused(tmp_path: Path) -> None:
    folder = EvaluationFolder(tmp_path / "out", {"split": "val", "memory": None}, keeps_masks=False)
    folder.keep(RESULT)
    with pytest.raises(OutputError, match="another evaluation is writing"):
        EvaluationFolder(tmp_path / "out", {"split": "val", "memory": None})
    folder.release()
    with pytest.raises(OutputError, match=r"other settings \(split: val, now test, and 1 more\)"):
        EvaluationFolder(tmp_path / "out", {"split": "test", "memory": "ring"})
    anew = EvaluationFolder(tmp_path / "out", {"split": "test"}, keeps_masks=False, overwrite=True)
    assert anew.result("a/b") is None
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").touch()
    with pytest.raises(OutputError, match="has files already; choose another folder"):
        EvaluationFolder(tmp_path / "mine", {})


def test_a_stamp_changes_with_the_masks(tmp_path: Path) -> None:
    save_ids(tmp_path / "1.png", box(2, 2))
    before = stamp_of(tmp_path)
    assert stamp_of(tmp_path) == before
    save_ids(tmp_path / "2.png", box(2, 2))
    assert stamp_of(tmp_path) != before
