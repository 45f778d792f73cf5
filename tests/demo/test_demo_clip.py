"""The clip in the package: complete, small, and as hard as it claims to be."""

from __future__ import annotations

import io
import zipfile
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import DataError
from limpet.demo import demo_clip as clip
from limpet.demo.demo_clip import OBJECT_NAMES, demo_masks, demo_video, first_mask, read_masks
from limpet.evaluation.metrics import boundary_map
from limpet.video.open import open_video

KIB = 1024


@pytest.fixture(scope="module")
def masks() -> np.ndarray:
    return demo_masks()


@pytest.fixture(scope="module")
def areas(masks: np.ndarray) -> dict[int, np.ndarray]:
    """Pixels of each object in each frame."""
    return {number: (masks == number).sum(axis=(1, 2)) for number in OBJECT_NAMES}


def png(size: tuple[int, int], mode: str = "P") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, "png")
    return file.getvalue()


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_video_and_masks_agree_in_count_and_size(masks: np.ndarray) -> None:
    with open_video(demo_video()) as video:
        images = [frame.image for frame in video]
        assert video.failures == []
    assert {image.shape[:2] for image in images if image is not None} == {masks.shape[1:]}
    assert len(images) == len(masks)


def test_masks_hold_the_named_objects_and_nothing_else(masks: np.ndarray) -> None:
    assert masks.dtype == np.uint8
    assert np.unique(masks).tolist() == [0, *OBJECT_NAMES]


def test_first_mask_shows_every_object_unhidden(masks: np.ndarray, areas: dict[int, np.ndarray]) -> None:
    assert np.array_equal(first_mask(), masks[0])
    for number in OBJECT_NAMES:
        assert areas[number][0] > 0.9 * areas[number][:8].max()
    assert min(area[0] for area in areas.values()) > 5000


def test_masks_belong_to_their_frames(masks: np.ndarray) -> None:
    """The picture changes more along a frame's own outlines than along those two frames before or after."""
    clear = []
    with open_video(demo_video()) as video:
        for frame in islice(video, 2, len(masks) - 2):
            assert frame.image is not None
            grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY).astype(np.float32)
            change = np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))
            outlines = [boundary_map(masks[frame.index + shift]) > 0 for shift in (0, -2, 2)]
            own, earlier, later = (change[outline].mean() for outline in outlines)
            clear.append(own > 1.1 * max(earlier, later))
    assert np.mean(clear) > 0.9


def test_cat_hides_behind_the_astronaut_but_never_wholly(areas: dict[int, np.ndarray]) -> None:
    cat = areas[2][:36]
    assert 0.3 * cat[0] < cat.min() < 0.65 * cat[0]
    assert cat[-1] > 0.8 * cat[0]


def test_cat_hides_behind_the_cup(areas: dict[int, np.ndarray]) -> None:
    cat = areas[2][36:56]
    assert 0.3 * cat[-1] < cat.min() < 0.65 * cat[-1]


def test_cup_passes_before_the_astronaut(areas: dict[int, np.ndarray]) -> None:
    astronaut = areas[1]
    assert 0.5 * astronaut[0] < astronaut[56:76].min() < 0.75 * astronaut[0]
    assert astronaut[78] > 0.9 * astronaut[0]


def test_cup_half_leaves_the_frame_and_returns(masks: np.ndarray, areas: dict[int, np.ndarray]) -> None:
    touching = (masks[:, :, -1] == 3).any(axis=1)  # (T,): the cup is cut by the right edge
    assert not touching[0] and touching[15:28].all() and not touching[44:].any()
    assert areas[3][15:28].min() < 0.5 * areas[3][0]


def test_no_object_is_ever_gone(areas: dict[int, np.ndarray]) -> None:
    assert all(area.min() > 2000 for area in areas.values())


def test_objects_move_smoothly(masks: np.ndarray) -> None:
    for number in OBJECT_NAMES:
        for before, after in zip(masks[:-1] == number, masks[1:] == number, strict=True):
            assert (before & after).sum() > 0.6 * (before | after).sum()


def test_files_are_small() -> None:
    assert demo_video().stat().st_size < 700 * KIB
    assert (demo_video().parent / "masks.zip").stat().st_size < 200 * KIB


def test_every_photograph_has_its_licence_stated() -> None:
    text = (demo_video().parent / "LICENSES.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in ("astronaut", "chelsea", "coffee", "rocket"))


def test_missing_asset_tells_where_and_what_to_do() -> None:
    with pytest.raises(
        DataError, match=r"demo's other\.mp4 at .*assets.*not there; .*pip install --force-reinstall"
    ):
        clip._asset("other.mp4")


def test_damaged_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "masks.zip"
    path.write_bytes(b"no zip at all")
    with pytest.raises(
        DataError, match=r"cannot read the masks of the demo in .*masks\.zip .*not a zip file"
    ):
        read_masks(path)


def test_zip_with_a_broken_png_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "masks.zip", {"00000.png": b"no image"})
    with pytest.raises(DataError, match="cannot read the masks of the demo"):
        read_masks(path)


def test_cut_off_png_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "masks.zip", {"00000.png": png((64, 64))[:-30]})
    with pytest.raises(DataError, match="cannot read the masks of the demo"):
        read_masks(path)


def test_empty_zip_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "masks.zip", {"readme.txt": b"nothing"})
    with pytest.raises(DataError, match=r"expected palette PNGs in .*found none"):
        read_masks(path)


def test_masks_of_two_sizes_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "masks.zip", {"0.png": png((4, 3)), "1.png": png((5, 3))})
    with pytest.raises(DataError, match=r"one size in .*found 3x4 and 3x5"):
        read_masks(path)


def test_colour_png_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "masks.zip", {"0.png": png((4, 3), "RGB")})
    with pytest.raises(DataError, match=r"palette PNGs, but 0\.png has mode RGB"):
        read_masks(path)
