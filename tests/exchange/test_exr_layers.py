"""OpenEXR layers, where the package is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import MaskError, MissingExtraError
from limpet.exchange.formats import read_masks, write_masks

from .sequences import hard_clip, hard_labels


def test_layers_are_floats(tmp_path: Path) -> None:
    exr = pytest.importorskip("OpenEXR")
    write_masks(hard_clip(), tmp_path / "out", "exr")
    channels = exr.File(str(tmp_path / "out" / "00000.exr"), separate_channels=True).channels()
    assert {"001-cat.mask", "003.mask", "200-ball.mask"} <= set(channels)
    assert channels["001-cat.mask"].pixels.dtype == np.float32
    assert np.array_equal(channels["001-cat.mask"].pixels, (hard_labels()[0] == 1).astype(np.float32))
    (tmp_path / "out" / "00001.exr").write_bytes(b"no picture")
    with pytest.raises(MaskError, match="cannot be read as OpenEXR"):
        list(read_masks(tmp_path / "out"))


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "OpenEXR", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'limpet\[exr\]'"):
        write_masks(hard_clip(), tmp_path / "out", "exr")
    assert not (tmp_path / "out").exists()
