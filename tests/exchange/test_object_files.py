"""Files per object: their names, and what objects.json may say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from limpet.core.errors import MaskError
from limpet.exchange.formats import read_masks, write_masks
from limpet.exchange.object_files import file_names, object_of

from .sequences import clip_of, hard_clip, hard_labels


def test_names_of_files_stay_in_their_folder(tmp_path: Path) -> None:
    evil = clip_of(
        hard_labels(), {1: "../../x", 3: "/etc/passwd", 7: "con", 9: "a/b\\c", 200: "", 12: "x" * 300}
    )
    assert file_names(evil, ".mov")[3] == "003-etc-passwd.mov"
    write_masks(evil, tmp_path / "out", "png-per-object")
    folders = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert len(folders) == 6 and folders[:3] == ["001-x", "003-etc-passwd", "007-_con"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert read_masks(tmp_path / "out").names[1] == "../../x", "the name itself is kept"


def test_objects_from_names_of_files() -> None:
    assert [object_of(s) for s in ("007-cat", "200", "cat", "0-x", "99999-x")] == [
        (7, "cat"), (200, ""), (1, "cat"), (1, "0-x"), (1, "99999-x"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "..", ".x", "a\\b"])
def test_files_elsewhere_are_not_read(name: str, tmp_path: Path) -> None:
    write_masks(hard_clip(), tmp_path / "out", "png-per-object")
    manifest = tmp_path / "out" / "objects.json"
    content = json.loads(manifest.read_text())
    content["objects"][0]["file"] = name
    manifest.write_text(json.dumps(content))
    with pytest.raises(MaskError, match="which does not lie beside it"):
        read_masks(tmp_path / "out")
