"""The folder of pictures: what is in it, when it may be replaced, and what is left of a run that stopped."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import OutputError
from limpet.results import gallery as module
from limpet.results.gallery import Gallery
from limpet.video.encode import EncoderMissingError

KINDS = ("maps", "grid")
PICTURE = np.full((40, 60, 3), 90, np.uint8)


def fill(folder: Path, frames: int = 3, **options: bool) -> Gallery:
    gallery = Gallery(folder, KINDS, **options)
    gallery.describe({"model": "a model"})
    with gallery:
        for index in range(1, frames + 1):
            gallery.add("maps", index, index / 24, PICTURE, still=index == 2)
    return gallery


def frames_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


def test_what_lies_in_it(tmp_path: Path) -> None:
    gallery = fill(tmp_path / "new" / "look")
    names = sorted(str(p.relative_to(gallery.path)) for p in gallery.path.rglob("*") if p.is_file())
    assert names == ["maps.mp4", "maps/00002.png", "visualise.json"]
    assert gallery.pictures == 1
    assert frames_of(gallery.path / "maps.mp4") == pytest.approx([0, 1 / 24, 2 / 24], abs=1e-3)
    with Image.open(gallery.path / "maps/00002.png") as image:
        assert np.array_equal(np.array(image), PICTURE)
    assert json.loads((gallery.path / "visualise.json").read_text())["model"] == "a model"


def test_without_videos(tmp_path: Path) -> None:
    assert not (fill(tmp_path / "look", movies=False).path / "maps.mp4").exists()


def test_nothing_is_written_before_the_first_picture(tmp_path: Path) -> None:
    with Gallery(tmp_path / "look", KINDS):
        pass
    assert not (tmp_path / "look").exists()


def test_an_earlier_gallery_is_replaced_on_request_only(tmp_path: Path) -> None:
    folder = fill(tmp_path / "look").path
    (folder / "maps" / "mine.txt").write_text("kept")
    (folder / "maps" / "00099.png").write_bytes(b"old")
    with pytest.raises(OutputError, match=r"not empty.*overwrite=True"):
        Gallery(folder, KINDS)
    Gallery(folder, KINDS, overwrite=True)
    assert (folder / "maps" / "00099.png").exists(), "not before the first picture"
    fill(folder, overwrite=True)
    assert not (folder / "maps" / "00099.png").exists() and (folder / "maps" / "mine.txt").exists()


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "maps.mp4").write_text("a film")
    with pytest.raises(OutputError, match="did not make"):
        Gallery(tmp_path, KINDS, overwrite=True)
    with pytest.raises(OutputError, match="is a file"):
        Gallery(tmp_path / "maps.mp4", KINDS)


def test_a_run_that_stops_keeps_what_it_drew(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Gallery(tmp_path / "look", KINDS) as gallery:
        gallery.add("maps", 1, 0.0, PICTURE, still=True)
        gallery.add("maps", 2, 0.1, PICTURE, still=False)
        raise KeyboardInterrupt
    assert len(frames_of(tmp_path / "look" / "maps.mp4")) == 2
    assert (tmp_path / "look" / "maps" / "00001.png").exists()
    assert not list((tmp_path / "look").glob(".*"))


def test_no_encoder_leaves_the_videos_out_with_a_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*arguments: object) -> None:
        raise EncoderMissingError("install one")

    monkeypatch.setattr(module, "OverlayVideo", missing)
    gallery = fill(tmp_path / "look")
    assert gallery.notices == ["the videos were left out: install one"] and gallery.pictures == 1
