"""Folders of images and patterns as videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import VideoError
from limpet.video.image_reader import IMAGE_SUFFIXES, natural_sort
from limpet.video.open import open_video

from .clips import SIZE, grey_of, picture


def save(path: Path, index: int = 0, size: tuple[int, int] = SIZE, **options: object) -> Path:
    Image.fromarray(picture(index, size)).save(path, **options)
    return path


def level(image: np.ndarray | None) -> int:
    assert image is not None
    return round((grey_of(image) - 40) / 5)


def test_folder_in_natural_order_without_other_files(tmp_path: Path) -> None:
    for index in (10, 2, 1, 0):
        save(tmp_path / f"frame{index}.png", index)
    (tmp_path / "notes.txt").write_text("not a frame")
    (tmp_path / "._frame0.png").write_bytes(b"what macOS leaves behind")
    (tmp_path / "deeper.png").mkdir()
    with open_video(tmp_path) as video:
        assert (video.size, video.frame_count, video.frame_rate) == (SIZE, 4, None)
        frames = list(video)
    assert [level(frame.image) for frame in frames] == [0, 1, 2, 10]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.time for frame in frames] == pytest.approx([0, 1 / 24, 2 / 24, 3 / 24])


@pytest.mark.parametrize("suffix", [".jpg", ".JPG", ".png", ".bmp", ".webp", ".tif", ".ppm"])
def test_common_suffixes(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / f"00000{suffix}", 3)
    with open_video(tmp_path) as video:
        (frame,) = video
    assert level(frame.image) == 3 and suffix.lower() in IMAGE_SUFFIXES


def test_natural_sort_compares_numbers_by_value() -> None:
    names = [Path(name) for name in ("b1", "a10b2", "a9b10", "a9b9", "A1", "10", "9")]
    assert [path.name for path in natural_sort(names)] == ["9", "10", "A1", "a9b9", "a9b10", "a10b2", "b1"]


def test_printf_pattern_takes_exactly_its_numbers(tmp_path: Path) -> None:
    for name, index in {
        "f_001.png": 1,
        "f_010.png": 2,
        "f_1000.png": 3,
        "f_2.png": 9,
        "g_003.png": 9,
    }.items():
        save(tmp_path / name, index)
    with open_video(tmp_path / "f_%03d.png") as video:
        assert [level(frame.image) for frame in video] == [1, 2, 3]


def test_glob_pattern(tmp_path: Path) -> None:
    for name, index in {"f_1.png": 1, "f_12.png": 3, "f_2.png": 2, "other.png": 9}.items():
        save(tmp_path / name, index)
    with open_video(str(tmp_path / "f_*.png")) as video:
        assert [level(frame.image) for frame in video] == [1, 2, 3]


def test_an_existing_name_is_taken_literally(tmp_path: Path) -> None:
    save(tmp_path / "50%d.png", 1)
    save(tmp_path / "501.png", 2)
    with open_video(tmp_path / "50%d.png") as video:
        assert [level(frame.image) for frame in video] == [1]


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    save(tmp_path / "0.jpg", exif=exif, quality=95)
    with open_video(tmp_path) as video:
        assert video.size == (SIZE[1], SIZE[0])
        (frame,) = video
    assert np.abs(frame.image.astype(int) - np.rot90(picture(0), -1)).mean() < 4


def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.full(SIZE, 128 * 256, np.uint16)).save(tmp_path / "0.png")
    with open_video(tmp_path) as video:
        (frame,) = video
    assert frame.image.shape == (*SIZE, 3) and (frame.image == 128).all()


def test_an_unreadable_image_leaves_a_hole(tmp_path: Path) -> None:
    for index in range(4):
        save(tmp_path / f"{index}.jpg", index)
    data = (tmp_path / "1.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(data[: len(data) // 2])
    (tmp_path / "2.jpg").write_bytes(b"nothing")
    with open_video(tmp_path) as video:
        frames = list(video)
        assert [frame.image is None for frame in frames] == [False, True, True, False]
        assert [str(failure).split(" could")[0] for failure in video.failures] == [
            "frame 1 (1.jpg)",
            "frame 2 (2.jpg)",
        ]


def test_differing_sizes_are_refused_when_opened(tmp_path: Path) -> None:
    save(tmp_path / "0.png")
    save(tmp_path / "1.png", size=(50, 64))
    with pytest.raises(
        VideoError, match=r"1.png is 50x64 but 0.png is 48x64 \(height x width\); all images must"
    ):
        open_video(tmp_path)


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="contains no images"):
        open_video(tmp_path)


def test_folder_without_a_readable_image(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").write_bytes(b"nothing")
    with pytest.raises(VideoError, match="none of the 1 images"):
        open_video(tmp_path)


def test_frames_in_two_formats_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "0.jpg")
    save(tmp_path / "0.png")
    with pytest.raises(VideoError, match=r"contains 0.jpg and 0.png: the same frame twice"):
        open_video(tmp_path)


@pytest.mark.parametrize("pattern", ["f_%05d.png", "f_*.png"])
def test_pattern_without_match(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(VideoError, match="no file matches"):
        open_video(tmp_path / pattern)


def test_pattern_with_two_numbers(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="expected one number such as %05d"):
        open_video(tmp_path / "%d_%d.png")
