"""Made-up frames, and clips for measurements from end to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limpet.bench.bench_clip import synthetic_clip, write_bench_clip
from limpet.video.open import open_video


def test_discs_move_and_the_mask_holds_them_all() -> None:
    frames, mask = synthetic_clip((96, 160), 4, 5)
    assert len(frames) == 5 and frames[0].shape == (96, 160, 3) and mask.shape == (96, 160)
    assert np.unique(mask).tolist() == [0, 1, 2, 3, 4]
    assert not np.array_equal(frames[0], frames[2])
    assert np.array_equal(synthetic_clip((96, 160), 4, 5)[1], mask), "the same at every run"


@pytest.mark.parametrize(("objects", "words"), [(2, "the demo clip, resized"), (4, "synthetic discs")])
def test_a_clip_has_as_many_frames_and_objects_as_wanted(tmp_path: Path, objects: int, words: str) -> None:
    what, mask = write_bench_clip(tmp_path / "clip.mp4", (48, 80), objects, 6)
    assert what == words and mask.shape == (48, 80)
    assert np.unique(mask).tolist() == list(range(objects + 1))
    with open_video(tmp_path / "clip.mp4") as video:
        assert video.size == (48, 80)
        assert sum(frame.image is not None for frame in video) == 6


def test_the_demo_clip_is_played_to_and_fro(tmp_path: Path) -> None:
    write_bench_clip(tmp_path / "clip.mp4", (32, 32), 1, 90)
    with open_video(tmp_path / "clip.mp4") as video:
        pictures = [frame.image.astype(int) for frame in video if frame.image is not None]
    assert len(pictures) == 90
    assert np.abs(pictures[88] - pictures[86]).mean() < 3 < np.abs(pictures[88] - pictures[0]).mean()
