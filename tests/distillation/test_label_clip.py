"""One clip: where its labels begin and end, at which size, and which clips are left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import DataError
from limpet.core.masks import write_mask
from limpet.distillation.label_footage import LabelConfig

from .labelling import (
    FRAMES,
    Teacher,
    first_mask,
    label,
    labels_of,
    make_frames,
)


@pytest.mark.parametrize(("ids", "kept"), [((255,), (1,)), ((3, 255), (1, 0))])
def test_255_is_an_object_only_where_it_is_alone(
    place: Path, teacher: Teacher, ids: tuple[int, ...], kept: tuple[int, ...]
) -> None:
    write_mask(place / "masks" / "cat.png", first_mask(*ids))
    label(place, teacher)
    assert np.array_equal(labels_of(place, "cat")[0], first_mask(*kept))


def test_frames_are_reduced_and_strided(place: Path, teacher: Teacher) -> None:
    result = label(place, teacher, LabelConfig(max_size=24, stride=3, least_frames=2))
    assert teacher.sizes_seen == {(24, 32, 3)}
    assert [clip.frames for clip in result.clips] == [3, 3]  # 0, 3 and 6
    with Image.open(result.folder.sequences[0].frames[2]) as frame:
        assert frame.format == "JPEG" and frame.size == (32, 24)
        wanted = Image.open(place / "footage" / "cat" / "00006.png").resize((32, 24), Image.Resampling.BOX)
        apart = np.asarray(frame.convert("L"), float) - np.asarray(wanted.convert("L"), float)
    assert np.abs(apart).mean() < 6 < np.asarray(wanted.convert("L"), float).std()


def test_labels_end_where_an_object_is_lost(place: Path, teacher: Teacher) -> None:
    write_mask(place / "masks" / "cat.png", first_mask(1, 2))
    bad = (2, 5, 6, 7)  # one bad frame alone is no loss
    teacher.sure = lambda frame, number: 0.2 if number == 2 and frame in bad else 0.8
    result = label(place, teacher)
    cat, dog = result.clips
    assert (cat.frames, cat.dropped, cat.ended) == (5, 3, "object 2 is lost (noticed at frame 7)")
    assert cat.confidence == pytest.approx((3 * 0.8 + 0.5) / 4)
    assert dog.frames == FRAMES
    assert len(labels_of(place, "cat")) == len(result.folder.sequences[0]) == 5
    assert result.notices == ("cat: labels end after 5 frames: object 2 is lost (noticed at frame 7)",)


def test_a_clip_lost_too_soon_is_left_out_and_not_followed_again(place: Path, teacher: Teacher) -> None:
    make_frames(place / "footage" / "ant", count=3)
    write_mask(place / "masks" / "ant.png", first_mask(1))
    result = label(place, teacher)
    assert result.skipped == ("ant: it ends; 3 frames are too few, at least 5 are needed",)
    assert not (place / "cache" / "JPEGImages" / "480p" / "ant").exists()
    teacher.steps = 0
    assert label(place, teacher).skipped == result.skipped and teacher.steps == 0


def test_labels_end_at_max_frames(place: Path, teacher: Teacher) -> None:
    result = label(place, teacher, LabelConfig(max_frames=6))
    assert [(clip.frames, clip.dropped, clip.ended) for clip in result.clips] == [(6, 2, "max_frames=6")] * 2


def test_an_unreadable_frame_is_told_and_left_out(place: Path, teacher: Teacher) -> None:
    (place / "footage" / "cat" / "00004.png").write_bytes(b"garbage")
    result = label(place, teacher)
    assert (result.clips[0].frames, result.clips[0].dropped) == (FRAMES - 1, 1)
    assert len(result.notices) == 1 and result.notices[0].startswith(
        "cat: frame 4 (00004.png) could not be read"
    )


def test_an_object_too_small_for_the_labels_is_told(place: Path, teacher: Teacher) -> None:
    mask = first_mask(1)
    mask[0, 63] = 7  # the middle of no square of 3x3
    write_mask(place / "masks" / "cat.png", mask)
    result = label(place, teacher, LabelConfig(max_size=16, least_frames=2))
    assert result.skipped[0].startswith("cat: object 7 of the first mask is too small to be seen at 16x21")


@pytest.mark.parametrize("wrong", [{"stride": 0}, {"max_gb": 0}, {"least_frames": 1}, {"max_frames": 3}])
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"expected"):
        LabelConfig(**wrong)
