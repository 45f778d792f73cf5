from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limpet.core.errors import DataError
from limpet.evaluation.evaluate_videos import run_video
from limpet.evaluation.protocols.burst import BurstProtocol

from ..tiny import CopiesMasks, box, make_burst, save_ids


def test_tracks_begin_in_their_first_annotated_frame(tmp_path: Path) -> None:
    make_burst(tmp_path)
    protocol = BurstProtocol(tmp_path)
    assert protocol.names() == ("HACS/swim",)
    task = protocol.task("HACS/swim")
    assert len(task.frames) == 7 and task.answers == (0, 3, 6)
    first, second = task.objects
    assert (first.id, first.number, first.begins, first.scored, first.category) == (4, 1, 0, (3, 6), "41")
    assert (second.id, second.number, second.begins, second.scored) == (9, 2, 3, (6,))
    assert np.array_equal(task.masks.read(6).plane(2), box(14, 12) > 0)


def test_first_masks_alone_are_withheld_labels(tmp_path: Path) -> None:
    make_burst(tmp_path, labelled=False)
    task = BurstProtocol(tmp_path).task("HACS/swim")
    assert not task.labelled and not task.scored and [each.begins for each in task.objects] == [0, 3]


def test_names_that_leave_the_folder_are_refused(tmp_path: Path) -> None:
    make_burst(tmp_path)
    path = tmp_path / "val/all_classes.json"
    content = json.loads(path.read_text())
    content["sequences"][0]["seq_name"] = ".."
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="is not the name of a file or folder"):
        BurstProtocol(tmp_path).names()


def test_missing_files_are_named(tmp_path: Path) -> None:
    make_burst(tmp_path)
    (tmp_path / "frames/val/HACS/swim/frame0002.jpg").unlink()
    with pytest.raises(DataError, match=r"lacks the frames 1 of 7 frames .*: frame0002\.jpg"):
        BurstProtocol(tmp_path).names()
    with pytest.raises(DataError, match=r"no all_classes\.json of split 'test'"):
        BurstProtocol(tmp_path, "test").names()


def test_results_are_read_like_annotations(tmp_path: Path) -> None:
    make_burst(tmp_path)
    protocol = BurstProtocol(tmp_path)
    task = protocol.task("HACS/swim")
    run_video(CopiesMasks(), task, save_masks=tmp_path / "masks")
    for file in (tmp_path / "masks/HACS/swim/004").glob("*6.png"):
        save_ids(file, np.zeros_like(box(0, 0)))
    (tmp_path / "out/val").mkdir(parents=True)
    (tmp_path / "out/frames").symlink_to(tmp_path / "frames")
    assert protocol.write_results(tmp_path / "masks", tmp_path / "out/val") == ["results.json"]
    content = json.loads((tmp_path / "out/val/results.json").read_text())
    shown = content["sequences"][0]["segmentations"]
    assert [sorted(each) for each in shown] == [["4"], ["4", "9"], ["9"]], "an empty mask has no entry"
    (tmp_path / "out/val/results.json").rename(tmp_path / "out/val/all_classes.json")
    again = BurstProtocol(tmp_path / "out").task("HACS/swim")
    assert np.array_equal(again.masks.read(3).plane(1), box(2, 2) > 0)


DAMAGE: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("size", lambda sequence: sequence.update(height=0), "the size is not one of a frame"),
    ("rle", lambda sequence: sequence["segmentations"][0]["4"].pop("rle"), "is not a file of BURST"),
    ("track", lambda sequence: sequence["segmentations"][0].update(x={"rle": ""}), "is not a file of BURST"),
    ("frames", lambda sequence: sequence["segmentations"].pop(), "do not belong together"),
]


@pytest.mark.parametrize(("name", "damage", "words"), DAMAGE, ids=[each[0] for each in DAMAGE])
def test_damaged_files_are_told(
    tmp_path: Path, name: str, damage: Callable[[dict[str, Any]], object], words: str
) -> None:
    make_burst(tmp_path)
    path = tmp_path / "val/all_classes.json"
    content = json.loads(path.read_text())
    damage(content["sequences"][0])
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=words):
        BurstProtocol(tmp_path).names()


def test_a_damaged_mask_is_named(tmp_path: Path) -> None:
    make_burst(tmp_path)
    path = tmp_path / "val/all_classes.json"
    content = json.loads(path.read_text())
    content["sequences"][0]["segmentations"][1]["4"]["rle"] = "00"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="'HACS/swim', frame 3: the RLE"):
        BurstProtocol(tmp_path).task("HACS/swim").masks.read(3)
