"""The plugin's reader and writer, and its manifest as napari's engine checks it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import MaskError
from limpet.exchange.formats import read_masks, write_masks
from limpet.exchange.napari_plugin import napari_get_reader, read_layers, write_labels

from .sequences import HARD_NAMES, assert_same, clip_of, hard_clip, hard_labels


def test_there_and_back(tmp_path: Path) -> None:
    write_masks(hard_clip(), tmp_path / "a.json", "coco")
    reader = napari_get_reader(str(tmp_path / "a.json"))
    assert reader is not None
    ((labels, attributes, kind),) = reader(str(tmp_path / "a.json"))
    assert (kind, labels.shape, labels.dtype, attributes["name"]) == ("labels", (6, 24, 40), np.uint8, "clip")
    assert np.array_equal(labels, np.stack(list(hard_labels().values())))
    assert write_labels(str(tmp_path / "b.json"), labels, attributes) == [str(tmp_path / "b.json")]
    back = read_masks(tmp_path / "b.json")
    assert_same(clip_of(hard_labels(), HARD_NAMES), back, times=False)
    assert back.frame_rate == 25
    write_labels(str(tmp_path / "c.zip"), labels[0], {"name": "still"})
    assert list(read_masks(tmp_path / "c.zip").names) == [1, 3, 7]


def test_what_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text("{}")
    for path in (tmp_path / "a.json", tmp_path, tmp_path / "nothing.xml"):
        assert napari_get_reader(str(path)) is None
    assert napari_get_reader([str(tmp_path)]) is None
    with pytest.raises(MaskError, match="expected"):
        write_labels(str(tmp_path / "b.json"), np.full((2, 2), -1), {})
    with pytest.raises(MaskError, match="none of the endings"):
        write_labels(str(tmp_path / "b.tif"), np.ones((2, 2), int), {})
    write_masks(hard_clip(), tmp_path / "c.json", "coco")
    monkeypatch.setattr("limpet.exchange.napari_plugin._MOST_BYTES", 1000)
    with pytest.raises(MaskError, match="MiB in napari"):
        read_layers(str(tmp_path / "c.json"))


def test_the_manifest() -> None:
    engine = pytest.importorskip("npe2")
    manifest = engine.PluginManifest.from_file(str(files("limpet.exchange") / "napari.yaml"))
    manifest.validate_imports()
    assert [writer.filename_extensions for writer in manifest.contributions.writers or []] == [
        [".json", ".xml", ".zip"]
    ]
