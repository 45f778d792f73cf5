"""`limpet convert` and `limpet project import`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from limpet.core.masks import decode_mask, write_mask
from limpet.project import Project

from .command import Limpet


def masks_folder(folder: Path, count: int = 3) -> Path:
    folder.mkdir()
    for index in range(count):
        mask = np.zeros((49, 65), np.uint8)
        mask[4:20, 5 + index : 15 + index] = 3
        write_mask(folder / f"{index:05d}.png", mask)
    return folder


def test_there_and_back(limpet: Limpet, tmp_path: Path) -> None:
    folder = masks_folder(tmp_path / "masks")
    told = limpet("convert", folder, "--to", "youtube-vis", "a.json", "--name", "3=cat")
    told.succeeded()
    assert told.out == "1 object -> a.json\n"
    assert json.loads((tmp_path / "a.json").read_text())["categories"][0]["name"] == "cat"
    limpet("convert", "a.json", "--to", "coco", "b.json", "--polygons").succeeded()
    limpet("convert", "b.json", "--to", "coco", "b.json").refused("b.json exists already", "--overwrite")


def test_a_frame_rate_that_the_source_does_not_state(limpet: Limpet, tmp_path: Path) -> None:
    folder = masks_folder(tmp_path / "masks")
    assert "24 per second" in limpet("convert", folder, "--to", "coco", "a.json").err
    told = limpet("convert", folder, "--to", "coco", "b.json", "--frame-rate", "30000/1001")
    told.succeeded()
    assert "per second" not in told.err
    images = json.loads((tmp_path / "b.json").read_text())["images"]
    assert [round(image["time"], 5) for image in images] == [0.0, 0.03337, 0.06673]
    limpet("convert", "b.json", "--to", "coco", "c.json", "--frame-rate", "5").refused(
        "leave out", "--frame-rate"
    )
    limpet("convert", folder, "--to", "coco", "c.json", "--frame-rate", "fast").refused(
        "--frame-rate", "'fast'"
    )


def test_into_a_project_and_out_of_it(limpet: Limpet, tmp_path: Path, clip: Path) -> None:
    folder = masks_folder(tmp_path / "masks")
    limpet("convert", folder, "--to", "coco", "a.json", "--name", "3=cat").succeeded()
    limpet("project", "new", "job", clip).succeeded()
    told = limpet("project", "import", "job", "a.json")
    told.succeeded()
    assert "import masks: 3 frames, new object 3" in told.out
    assert "nothing to do" in limpet("project", "import", "job", "a.json").out
    project = Project.open(tmp_path / "job")
    assert project.objects == {3: "cat"}
    assert np.array_equal(project.mask(1), decode_mask((folder / "00001.png").read_bytes()))
    limpet("convert", "job", "--to", "youtube-vis", "b.json").succeeded()
    assert json.loads((tmp_path / "b.json").read_text())["videos"][0]["file_names"][0] == "clip/00000.jpg"


def test_the_help_lists_all_formats(limpet: Limpet) -> None:
    from limpet.exchange.formats import FORMATS

    words = set(re.findall(r"[a-z0-9-]+", limpet("convert", "--help").out))
    assert set(FORMATS) <= words


def test_what_cannot_be_converted(limpet: Limpet, tmp_path: Path) -> None:
    folder = masks_folder(tmp_path / "masks")
    limpet("convert", "nothing", "--to", "coco", "a.json").refused("nothing does not exist")
    limpet("convert", folder, "--to", "voc", "a.json").refused("no format 'voc'", "youtube-vis")
    limpet("convert", folder, "--to", "coco", "a.xml").refused("another ending than .json")
    limpet("convert", folder, "--to", "coco", "a.json", "--name", "4=dog").refused("no object 4", "are 3")
    (tmp_path / "bad.json").write_text('{"videos": [')
    limpet("convert", "bad.json", "--to", "coco", "a.json").refused("not valid JSON")
    assert not (tmp_path / "a.json").exists()
