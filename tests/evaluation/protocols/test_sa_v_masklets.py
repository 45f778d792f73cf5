from __future__ import annotations

from pathlib import Path

import pytest

from limpet.core.errors import DataError
from limpet.evaluation.protocols.sa_v_masklets import SaVProtocol

from ..tiny import box, make_sa_v, save_ids


def test_objects_have_folders_and_may_overlap(tmp_path: Path) -> None:
    make_sa_v(tmp_path)
    protocol = SaVProtocol(tmp_path)
    assert protocol.names() == ("person",) and "24 fps" in protocol.rate
    task = protocol.task("person")
    assert len(task.frames) == 17 and task.answers == (0, 4, 8, 12, 16)
    body, hand = task.objects
    assert (body.id, body.number, body.begins, body.scored) == (0, 1, 0, (4, 8, 12))
    assert (hand.id, hand.number, hand.begins, hand.scored) == (1, 2, 4, (4, 8, 12)), "it is seen later"
    masks = task.masks.read(8)
    assert (masks.plane(1) & masks.plane(2)).sum() == 16
    assert task.folders == {1: "000", 2: "001"}


def test_the_root_may_be_the_split(tmp_path: Path) -> None:
    make_sa_v(tmp_path)
    assert SaVProtocol(tmp_path / "sav_val").names() == ("person",)
    with pytest.raises(DataError, match="no split 'sav_test'"):
        SaVProtocol(tmp_path, "sav_test")


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    make_sa_v(tmp_path)
    masks = tmp_path / "sav_val/Annotations_6fps/person"
    for place in range(5):
        save_ids(masks / f"002/{4 * place:05}.png", box(0, 0, 0, 0))
    task = SaVProtocol(tmp_path).task("person")
    assert [each.id for each in task.objects] == [0, 1] and task.notes == (
        "person: no mask shows object 002: left out",
    )
    save_ids(masks / "002/99999.png", box(0, 0))
    with pytest.raises(DataError, match="1 belong to no frame: 99999"):
        SaVProtocol(tmp_path).task("person")


def test_a_mask_that_others_have_is_missed_aloud(tmp_path: Path) -> None:
    make_sa_v(tmp_path)
    (tmp_path / "sav_val/Annotations_6fps/person/001/00008.png").unlink()
    task = SaVProtocol(tmp_path).task("person")
    assert task.notes == ("person: object 001 has no mask in 1 frames that others have: not scored",)
    assert task.objects[1].scored == (4, 12)
