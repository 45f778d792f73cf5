"""Which clips a folder holds, and whose first mask is whose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import DataError
from limpet.data.footage import FootageClip, find_first_mask, find_footage


def put(path: Path) -> Path:
    """An empty file, and the folders above it: nothing is read here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    """Two videos of two frames; only "cow" has masks."""
    for name in ("cow", "dog"):
        for number in ("00003", "00010"):
            put(tmp_path / "davis" / "JPEGImages" / "480p" / name / f"{number}.jpg")
    for number in ("00003", "00010"):
        put(tmp_path / "davis" / "Annotations" / "480p" / "cow" / f"{number}.png")
    listing = put(tmp_path / "davis" / "ImageSets" / "some.txt")
    listing.write_text("dog\ncow\nelk\n")
    return tmp_path / "davis"


def test_a_mix_of_clips_and_folders_of_frames(tmp_path: Path) -> None:
    for name in (
        "b.MP4",
        "a.mov",
        "frames/2.png",
        "notes.txt",
        ".hidden.mp4",
        "more/c.mp4",
        "lone.png",
        "a.png",
    ):
        put(tmp_path / name)
    found = find_footage(tmp_path)
    assert found.clips == (
        FootageClip("a", tmp_path / "a.mov"),
        FootageClip("b", tmp_path / "b.MP4"),
        FootageClip("frames", tmp_path / "frames"),
    )
    assert found.skipped == (
        "more: a folder without frames (1 videos in it; name this folder to use them)",
        "notes.txt: neither a video nor a folder of frames",
        "lone.png: a single image is not a clip",  # while a.png may be the mask of a.mov
    )


def test_clips_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("dog.mp4", "dog.mov", "dog/0.jpg", "cat.mp4"):
        put(tmp_path / name)
    assert [clip.name for clip in find_footage(tmp_path).clips] == ["cat", "dog", "dog-mov", "dog-mp4"]


def test_a_folder_of_frames_or_one_file_is_a_clip(tmp_path: Path) -> None:
    put(tmp_path / "walk" / "0001.jpg")
    clip = put(tmp_path / "run.mp4")
    assert find_footage(tmp_path / "walk").clips == (FootageClip("walk", tmp_path / "walk"),)
    assert find_footage(clip).clips == (FootageClip("run", clip),)


def test_davis_layout_with_and_without_a_split(davis: Path) -> None:
    frames, masks = davis / "JPEGImages" / "480p", davis / "Annotations" / "480p"
    cow = FootageClip("cow", frames / "cow", masks / "cow" / "00003.png")
    split = find_footage(f"{davis}:some")
    assert split.clips == (FootageClip("dog", frames / "dog"), cow)
    assert split.skipped == (f"elk: the split names it, but there is no folder {frames / 'elk'}",)
    assert find_footage(davis).clips == (cow, FootageClip("dog", frames / "dog"))
    with pytest.raises(DataError, match=r"no split 'other'.*the splits there are: some, all"):
        find_footage(f"{davis}:other")


@pytest.mark.parametrize(
    ("files", "where", "message"),
    [
        (["notes.txt"], "", r"no footage in .*notes.txt: neither.*expected a folder of clips \(mp4"),
        ([], "", "no footage in .*expected a folder of clips"),
        ([], "absent", "there is no folder of footage .*absent; expected a folder of clips"),
        ([], "absent:train", "absent is not a folder; expected the folder of a data set"),
    ],
)
def test_no_footage_says_what_is_expected(tmp_path: Path, files: list[str], where: str, message: str) -> None:
    for name in files:
        put(tmp_path / name)
    with pytest.raises(DataError, match=message):
        find_footage(tmp_path / where)


@pytest.mark.parametrize("name", ["dog.png", "dog_mask.png", "dog/00003.png"])
def test_where_first_masks_are_looked_for(davis: Path, tmp_path: Path, name: str) -> None:
    mask = put(tmp_path / "masks" / name)
    put(tmp_path / "masks" / "dog" / "00010.png")  # of a later frame
    dog, cow = find_footage(f"{davis}:some").clips
    assert find_first_mask(dog, mask.parents[name.count("/")]) == mask
    assert find_first_mask(dog, None) is None
    assert find_first_mask(cow, tmp_path / "masks") == cow.first_mask  # none given: the footage's own


def test_the_first_frame_of_a_video_file_is_called_00000(tmp_path: Path) -> None:
    clip = FootageClip("dog", put(tmp_path / "dog.mp4"))
    mask = put(tmp_path / "masks" / "dog" / "00000.png")
    assert find_first_mask(clip, tmp_path / "masks") == mask
    with pytest.raises(DataError, match=r"is not a folder; expected one with <clip>.png"):
        find_first_mask(clip, tmp_path / "absent")


def test_annotations_of_davis_serve_as_first_masks(davis: Path) -> None:
    cow = find_footage(davis / "JPEGImages" / "480p").clips[0]
    assert cow.first_mask is None
    annotations = davis / "Annotations" / "480p"
    assert find_first_mask(cow, annotations) == annotations / "cow" / "00003.png"


def test_nothing_but_names_is_read(davis: Path) -> None:
    image = davis / "JPEGImages" / "480p" / "cow" / "00003.jpg"
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(image)
    before = find_footage(davis)
    image.write_bytes(b"garbage")
    assert find_footage(davis) == before


def test_the_videos_of_youtube_vos_and_of_plain_folders_are_clips_too(tmp_path: Path) -> None:
    train = tmp_path / "youtube" / "train"
    put(train / "JPEGImages" / "aa" / "00000.jpg")
    first = put(train / "Annotations" / "aa" / "00000.png")
    expected = (FootageClip("aa", train / "JPEGImages" / "aa", first),)
    assert find_footage(tmp_path / "youtube").clips == find_footage(f"{tmp_path / 'youtube'}:train").clips
    assert find_footage(tmp_path / "youtube").clips == expected
    put(tmp_path / "plain" / "images" / "bb" / "0.png")
    (tmp_path / "plain" / "masks").mkdir()
    assert find_footage(tmp_path / "plain").clips == (
        FootageClip("bb", tmp_path / "plain" / "images" / "bb"),
    )
