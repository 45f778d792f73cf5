from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import DataError
from limpet.evaluation.protocols.davis import DavisProtocol

from ..tiny import box, make_sequence, make_split, moving_box


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_sequence(tmp_path, "pair", [np.maximum(mask, box(16, 28, number=3)) for mask in moving_box(5)])
    make_split(tmp_path, "2017/val", ["pair"])
    make_split(tmp_path, "2016/val", ["pair"])
    return tmp_path


def test_objects_of_the_first_mask_are_scored_between_first_and_last_frame(root: Path) -> None:
    protocol = DavisProtocol(root)
    assert protocol.names() == ("pair",) and protocol.label == "DAVIS, 2017/val, 480p"
    task = protocol.task("pair")
    assert [(each.id, each.begins, each.scored) for each in task.objects] == [
        (1, 0, (1, 2, 3)),
        (3, 0, (1, 2, 3)),
    ]
    assert task.answers == (0, 1, 2, 3, 4) and task.labelled


def test_2016_has_one_object(root: Path) -> None:
    task = DavisProtocol(root, "2016/val").task("pair")
    assert [each.id for each in task.objects] == [1] and task.any_id
    assert task.masks.read(1).plane(1).sum() == 160


def test_withheld_labels_are_no_error_but_gaps_are(root: Path) -> None:
    masks = root / "Annotations/480p/pair"
    (masks / "00003.png").unlink()
    with pytest.raises(DataError, match=r"'pair' lacks the annotations of 1 of 5 frames .*: 00003\.png"):
        DavisProtocol(root).names()
    for index in (1, 2, 4):
        (masks / f"{index:05}.png").unlink()
    task = DavisProtocol(root).task("pair")
    assert not task.labelled and not task.scored and len(task.answers) == 5
    (masks / "00000.png").unlink()
    with pytest.raises(DataError, match="'pair' has no annotations"):
        DavisProtocol(root).names()
