"""`limpet track` on what people bring: what comes out lies on the disk, and as many frames as went in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from video.clips import set_display_matrix

from limpet.cli.options import MODEL
from limpet.cli.track import default_folder, later_masks
from limpet.core.errors import MaskError
from limpet.core.masks import write_mask

from .clips import (
    IDS,
    SIZE,
    first_mask,
    frames_in,
    masks_of,
    picture,
    write_first_mask,
    write_images,
    write_video,
)
from .command import Limpet, finish, start
from .conftest import FRAMES


def test_the_command_as_installed(clip: Path, mask: Path, full_weights: Path, tmp_path: Path) -> None:
    outcome = finish(start("track", clip, "--mask", mask, "--weights", full_weights, cwd=tmp_path))
    outcome.succeeded()
    assert outcome.err == "", "nothing but the outcome is said, no bar and no warning"
    assert outcome.out.startswith("8 frames, objects 7, 200, ")
    assert " frames/s -> clip-masks\n" in outcome.out
    result = tmp_path / "clip-masks"
    assert sorted(path.name for path in result.iterdir()) == [
        "masks", "overlay.mp4", "report.html", "report.json", "report.png"
    ]  # fmt: skip
    masks = masks_of(result)
    assert len(masks) == FRAMES and all(each.shape == SIZE for each in masks)
    assert np.array_equal(masks[0], first_mask()), "the first mask is the one given, ids and all"
    assert {int(i) for each in masks for i in np.unique(each)} <= {0, *IDS}
    assert frames_in(result / "overlay.mp4") == FRAMES


def test_the_report_says_what_was_done(
    limpet: Limpet, clip: Path, mask: Path, weights: Path, tmp_path: Path
) -> None:
    limpet("track", clip, "--mask", mask, "--weights", weights, "--out", "new/folder").succeeded()
    report = json.loads((tmp_path / "new/folder/report.json").read_text())
    assert report["complete"] is True and report["stopped_by"] is None
    assert (report["source"], report["model"], report["frames"]) == ("clip.mp4", MODEL, FRAMES)
    assert len(report["weights_sha256"]) == 64
    assert [item["id"] for item in report["objects"]] == list(IDS)
    assert all(len(item["area"]) == len(item["confidence"]) == FRAMES for item in report["objects"])


@pytest.mark.parametrize("name", ["clip.gif", "clip.mkv", "clip.mov", "clip.webm"])
def test_kinds_of_files(limpet: Limpet, weights: Path, tmp_path: Path, name: str) -> None:
    codec = {"clip.gif": "gif", "clip.webm": "libvpx-vp9"}.get(name, "libx264")
    video = write_video(tmp_path / name, [picture(index) for index in range(5)], codec)
    mask = write_first_mask(tmp_path / "first.png")
    limpet("track", video, "--mask", mask, "--weights", weights).succeeded()
    assert len(masks_of(tmp_path / "clip-masks")) == frames_in(tmp_path / "clip-masks/overlay.mp4") == 5


@pytest.mark.parametrize("given", ["shots", "shots/frame_%03d.png", "shots/frame_*.png"])
def test_folders_and_patterns(limpet: Limpet, weights: Path, tmp_path: Path, given: str) -> None:
    write_images(tmp_path / "shots", [picture(index) for index in range(4)])
    mask = write_first_mask(tmp_path / "first.png")
    limpet("track", given, "--mask", mask, "--weights", weights).succeeded()
    assert len(masks_of(tmp_path / "shots-masks")) == 4


@pytest.mark.parametrize("size", [(97, 33), (20, 130), (17, 17)], ids=["portrait", "wide", "tiny"])
def test_shapes(limpet: Limpet, weights: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    write_images(tmp_path / "clip", [picture(index, size) for index in range(3)])
    mask = write_first_mask(tmp_path / "first.png", size)
    limpet("track", "clip", "--mask", mask, "--weights", weights, "--max-size", 32).succeeded()
    masks = masks_of(tmp_path / "clip-masks")
    assert [each.shape for each in masks] == [size] * 3
    assert frames_in(tmp_path / "clip-masks/overlay.mp4") == 3


def test_a_video_that_is_shown_turned(limpet: Limpet, weights: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "phone.mp4", [picture(index) for index in range(3)])
    set_display_matrix(video, 0, 1, -1, 0)
    turned = (SIZE[1], SIZE[0])
    mask = write_first_mask(tmp_path / "first.png", turned)
    limpet("track", video, "--mask", mask, "--weights", weights).succeeded()
    assert [each.shape for each in masks_of(tmp_path / "phone-masks")] == [turned] * 3


def test_an_object_that_comes_later(
    limpet: Limpet, clip: Path, mask: Path, weights: Path, tmp_path: Path
) -> None:
    new = np.zeros(SIZE, np.uint8)
    new[30:40, 45:60] = 9
    write_mask(tmp_path / "new.png", new)
    outcome = limpet(
        "track", clip, "--mask", mask, "--weights", weights, "--add", "3:new.png", "--out", "out"
    )
    outcome.succeeded()
    assert "objects 7, 9, 200," in outcome.out
    masks = masks_of(tmp_path / "out")
    assert not any((each == 9).any() for each in masks[:3])
    assert np.array_equal(masks[3] == 9, new == 9), "the frame it comes in shows it as drawn"


def test_a_mask_of_another_size_can_be_fitted(
    limpet: Limpet, clip: Path, weights: Path, tmp_path: Path
) -> None:
    double = write_first_mask(tmp_path / "double.png", (2 * SIZE[0], 2 * SIZE[1]))
    command = ("track", clip, "--mask", double, "--weights", weights, "--out", "out")
    limpet(*command).refused("mask is 98x130 but the frame is 49x65", "pass --resize-mask")
    assert not (tmp_path / "out").exists()
    limpet(*command, "--resize-mask").succeeded()
    assert set(np.unique(masks_of(tmp_path / "out")[0])) == {0, *IDS}


def test_no_overlay(limpet: Limpet, clip: Path, mask: Path, weights: Path, tmp_path: Path) -> None:
    limpet("track", clip, "--mask", mask, "--weights", weights, "--no-overlay", "--out", "out").succeeded()
    assert not (tmp_path / "out/overlay.mp4").exists()
    assert len(masks_of(tmp_path / "out")) == FRAMES


def test_overwrite_replaces_results_and_nothing_else(
    limpet: Limpet, clip: Path, mask: Path, weights: Path, tmp_path: Path
) -> None:
    command = ("track", clip, "--mask", mask, "--weights", weights, "--out", "out")
    limpet(*command).succeeded()
    (tmp_path / "out/notes.txt").write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    limpet(*command).refused("out exists and is not empty; choose another folder, or pass --overwrite")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    limpet(*command, "--overwrite").succeeded()
    assert (tmp_path / "out/notes.txt").read_text() == "mine"
    assert (tmp_path / "out/report.json").stat().st_mtime_ns > before[tmp_path / "out/report.json"]


def test_a_name_that_the_terminal_cannot_show(
    clip: Path, mask: Path, full_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    outcome = finish(
        start("track", clip, "--mask", mask, "--weights", full_weights, "--out", "é", cwd=tmp_path)
    )
    outcome.succeeded()
    assert "-> \\xe9\n" in outcome.out and len(masks_of(tmp_path / "é")) == FRAMES


@pytest.mark.parametrize(
    ("video", "folder"),
    [
        ("clip.mp4", "clip-masks"),
        ("some/where/clip.v2.mp4", "clip.v2-masks"),
        ("shots.raw", "shots.raw-masks"),
        ("shots.raw/%05d.jpg", "shots.raw-masks"),
        ("/", "video-masks"),
    ],
)
def test_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, video: str, folder: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shots.raw").mkdir()
    (tmp_path / "some/where").mkdir(parents=True)
    for name in ("clip.mp4", "some/where/clip.v2.mp4"):
        (tmp_path / name).touch()
    assert default_folder(video) == Path(folder)


def test_later_masks() -> None:
    assert later_masks(["30:a.png", "2:C:\\b.png"]) == {30: Path("a.png"), 2: Path("C:\\b.png")}
    for text in ("x:y", "3", "3:", ":a.png", "-3:a.png", "3.5:a.png", "²:a.png"):
        with pytest.raises(MaskError, match=r"; expected FRAME:PNG, for instance 30:new\.png"):
            later_masks([text])
    with pytest.raises(MaskError, match="names frame 3 twice"):
        later_masks(["3:a.png", "03:b.png"])
