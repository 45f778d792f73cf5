"""The script that paints the clip: repeatable, and what it paints is what the package holds."""

from __future__ import annotations

import importlib
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from limpet.demo.demo_clip import OBJECT_NAMES, demo_masks, demo_video, read_masks
from limpet.video.open import open_video

pytest.importorskip("skimage", reason="painting the clip needs scikit-image, part of the [dev] extra")

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture(scope="module")
def painter() -> SimpleNamespace:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        modules = {
            name: importlib.import_module(f"demo_clip.{name}") for name in ("motion", "compositor", "encode")
        }
    return SimpleNamespace(**modules, stage=modules["compositor"].set_stage())


def test_same_seed_paints_the_same_frame(painter: SimpleNamespace) -> None:
    frame, mask = painter.compositor.paint(painter.stage, 30, seed=0)
    again, mask_again = painter.compositor.paint(painter.stage, 30, seed=0)
    other, other_mask = painter.compositor.paint(painter.stage, 30, seed=1)
    assert np.array_equal(frame, again) and np.array_equal(mask, mask_again)
    assert not np.array_equal(frame, other) and np.array_equal(mask, other_mask)


@pytest.mark.parametrize("index", [0, 43, 87])
def test_package_holds_what_the_script_paints(painter: SimpleNamespace, index: int) -> None:
    frame, mask = painter.compositor.paint(painter.stage, index, seed=0)
    with open_video(demo_video()) as video:
        shipped = next(shown.image for shown in video if shown.index == index)
    assert shipped is not None
    assert np.abs(shipped.astype(int) - frame).mean() < 6  # noise and compression
    # another version of OpenCV may round an edge pixel the other way
    assert (demo_masks()[index] == mask).mean() > 0.998


def test_shipped_clip_has_the_length_and_size_of_the_script(painter: SimpleNamespace) -> None:
    assert demo_masks().shape == (painter.motion.FRAME_COUNT, *painter.motion.FRAME_SIZE)
    assert {actor.object_id for actor in painter.motion.ACTORS} == set(OBJECT_NAMES)


def test_poses_go_through_their_keys(painter: SimpleNamespace) -> None:
    for actor in painter.motion.ACTORS:
        for time, *values in actor.keys:
            pose = actor.pose(time)
            assert [pose.x, pose.y, pose.scale, pose.angle] == pytest.approx(values)


def test_objects_change_their_order_only_where_they_do_not_touch(painter: SimpleNamespace) -> None:
    """Else one would jump through the other."""
    motion, masks = painter.motion, demo_masks()
    last = motion.FRAME_COUNT - 1
    orders = [tuple(sorted((a.depth(i / last), a.object_id) for a in motion.ACTORS)) for i in range(last + 1)]
    orders = [tuple(number for _, number in order) for order in orders]
    swaps = [i for i, (before, after) in enumerate(pairwise(orders)) if before != after]
    assert swaps  # the cat goes behind the astronaut and comes back before her
    for index in swaps:
        grown = np.pad(masks[index] == 1, 1)
        near = grown[:-2, 1:-1] | grown[2:, 1:-1] | grown[1:-1, :-2] | grown[1:-1, 2:]
        assert not (near & (masks[index] == 2)).any()


def test_masks_survive_the_zip_and_files_repeat(painter: SimpleNamespace, tmp_path: Path) -> None:
    masks = demo_masks()[:3]
    for name in ("one.zip", "two.zip"):
        painter.encode.write_masks(tmp_path / name, masks)
    assert np.array_equal(read_masks(tmp_path / "one.zip"), masks)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_video_files_repeat_and_keep_every_frame(painter: SimpleNamespace, tmp_path: Path) -> None:
    frames = [np.full((32, 48, 3), value, np.uint8) for value in (20, 120, 220)]
    for name in ("one.mp4", "two.mp4"):
        painter.encode.write_video(tmp_path / name, frames, (32, 48), 24)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    with open_video(tmp_path / "one.mp4") as video:
        shown = [frame.image.mean() for frame in video if frame.image is not None]
    assert shown == pytest.approx([20, 120, 220], abs=4)
