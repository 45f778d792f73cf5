from __future__ import annotations

from pathlib import Path

import pytest

from limpet.core.errors import DataError
from limpet.evaluation.evaluate_videos import run_video
from limpet.evaluation.protocols.evaluation_protocol import ProtocolOptions
from limpet.evaluation.protocols.mose import MoseProtocol

from ..tiny import CopiesMasks, make_mose, make_sequence, moving_box


def test_every_object_is_scored_in_all_frames_but_the_first_and_last(tmp_path: Path) -> None:
    make_mose(tmp_path, labelled=True)
    protocol = MoseProtocol(tmp_path)
    task = protocol.task("gone")
    assert protocol.names() == ("gone",) and task.labelled
    assert [(each.id, each.begins, each.scored) for each in task.objects] == [
        (3, 0, (1, 2, 3, 4, 5)),
        (7, 0, (1, 2, 3, 4, 5)),
    ]


def test_withheld_labels(tmp_path: Path) -> None:
    make_mose(tmp_path)
    task = MoseProtocol(tmp_path).task("gone")
    assert not task.labelled and len(task.answers) == 7


def test_the_root_may_be_the_split(tmp_path: Path) -> None:
    make_mose(tmp_path)
    assert MoseProtocol(tmp_path / "valid").names() == ("gone",)
    assert MoseProtocol(tmp_path / "valid", "gone").names() == ("gone",)
    with pytest.raises(DataError, match=r"no split 'test' in .*; the splits there are: valid"):
        MoseProtocol(tmp_path, "test").names()


def test_version_2_has_measures_of_its_own(tmp_path: Path) -> None:
    make_mose(tmp_path, labelled=True)
    both = [MoseProtocol(tmp_path, options=ProtocolOptions(version=version)) for version in (1, 2)]
    assert [each.label for each in both] == ["MOSE, valid", "MOSE 2, valid"]
    first, second = (run_video(CopiesMasks(), each.task("gone")).objects[0] for each in both)
    assert first.region[1:3] == (0.0, 0.0) and second.region[1:3] == (1 / 81, 1 / 81)
    with pytest.raises(DataError, match="version is 3; expected 1 or 2"):
        ProtocolOptions(version=3)


def test_what_is_missing_or_another_layout_is_told_before_the_work(tmp_path: Path) -> None:
    make_mose(tmp_path / "mose", labelled=True)
    (tmp_path / "mose/valid/JPEGImages/gone/00003.jpg").unlink()
    with pytest.raises(DataError, match=r"'gone' has masks or listed frames without a frame in .*: 00003"):
        MoseProtocol(tmp_path / "mose").names()
    make_sequence(tmp_path / "davis", "one", moving_box(4))
    with pytest.raises(
        DataError, match=r"480p holds folders instead of the frames of a video; expected MOSE"
    ):
        MoseProtocol(tmp_path / "davis").names()
