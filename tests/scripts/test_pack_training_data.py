"""What was packed can be trained from; parts are small, come one by one, and damage is found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pack_training_data import MANIFEST, main, pack, unpack
from PIL import Image

from limpet.core.errors import DataError
from limpet.core.masks import read_annotation
from limpet.data import ClipConfig, StillsFolder, TrainingClips, training_videos

from .small_data import make_data

KIB = 1 / 1024


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data", photos=12)


def test_limpet_trains_from_what_is_unpacked(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = tmp_path / "start.safetensors"
    extra.write_bytes(b"weights")
    out, unpacked = tmp_path / "pack", tmp_path / "unpacked"
    main(["pack", "--stills", str(data / "stills"), "--video", f"{data / 'davis'}:2017/fit", "--out", str(out),
          "--file", str(extra), "--photo-side", "64"])  # fmt: skip
    main(["unpack", str(out), "--out", str(unpacked)])
    assert "12 photos at quality 92; 0 photos did not fit" in capsys.readouterr().out
    assert (unpacked / "files" / extra.name).read_bytes() == b"weights"
    stills, videos = StillsFolder(unpacked / "stills"), training_videos(unpacked / "davis", "2017/fit")
    assert len(stills) == 12 and [len(video) for video in videos] == [4, 4] and not stills.skipped
    batch = TrainingClips(ClipConfig(frames=2, size=65, batch=2), stills, [videos]).batch(0)
    assert batch.masks.max() > 0
    original = StillsFolder(data / "stills").stills[3]
    copy = next(still for still in stills if still.image.stem == original.image.stem)
    with Image.open(copy.image) as image, Image.open(original.image) as before:
        assert image.size == (64, 53)
        assert np.abs(np.asarray(image, float) - np.asarray(before.resize(image.size), float)).mean() < 12
    mask, expected = read_annotation(copy.mask), read_annotation(original.mask)
    assert set(np.unique(mask)) == set(np.unique(expected)) == {0, 1, 2}
    frame = videos.sequences[0]
    same = training_videos(data / "davis", "2017/fit").sequences[0]
    assert np.array_equal(frame.mask(2), same.mask(2)), "frames that are small stay as they are"


def test_parts_are_as_small_as_asked_for_and_come_one_by_one(data: Path, tmp_path: Path) -> None:
    out, unpacked = tmp_path / "pack", tmp_path / "unpacked"
    limit = 534 * KIB
    manifest = pack(out, data / "stills", [f"{data / 'davis'}:2017/fit"], parts=2, part_mib=limit)
    parts = sorted(out.glob("part-*.zip"))
    assert [path.name for path in parts] == list(manifest["parts"]) == ["part-1.zip", "part-2.zip"]
    assert all(path.stat().st_size < limit * 2**20 for path in parts)
    assert manifest["photos_left_out"] == 12 - manifest["photos"] > 0 and manifest["quality"] == 50
    later = parts[1].rename(tmp_path / "later.zip")
    assert unpack(out, unpacked)[1] == ["part-2.zip"]
    some = sum(path.is_file() for path in unpacked.rglob("*.webp"))
    later.rename(parts[1])
    assert unpack(out, unpacked)[1] == []
    assert some < sum(path.is_file() for path in unpacked.rglob("*.webp")) == manifest["photos"] + 8
    assert len(manifest["files"]) == 2 * (manifest["photos"] + 8) + 1
    assert "must not be passed on" in json.loads((out / MANIFEST).read_text())["licence"]


def test_damage_and_what_is_missing_are_told(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "pack"
    with pytest.raises(DataError, match="nothing to pack; give --stills DIR"):
        pack(out, None, [])
    with pytest.raises(DataError, match="the videos and files alone do not fit; allow more --parts"):
        pack(out, None, [f"{data / 'davis'}:2017/fit"], parts=1, part_mib=514 * KIB)
    with pytest.raises(DataError, match=r"there is no manifest.json in .*pack_training_data.py"):
        unpack(tmp_path, tmp_path / "unpacked")
    pack(out, data / "stills", [])
    whole = (out / "part-1.zip").read_bytes()
    (out / "part-1.zip").write_bytes(whole[:-20])
    with pytest.raises(DataError, match=r"part-1.zip is damaged or of another pack: .*copy it again"):
        unpack(out, tmp_path / "unpacked")
