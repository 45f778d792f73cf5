"""What people get wrong: one sentence on stderr, exit code 2, no traceback, and nothing of theirs is lost."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from video.clips import damage_packet

from limpet.cli.options import MODEL
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
from .command import Limpet
from .conftest import FRAMES

LONG = "9" * 300


@pytest.fixture
def command(clip: Path, mask: Path, weights: Path) -> Callable[..., tuple[object, ...]]:
    """A good `track` command; keywords replace its parts."""

    def build(*more: object, **parts: object) -> tuple[object, ...]:
        given = {"video": clip, "mask": mask, "weights": weights, "out": "out"} | parts
        options = [word for name in ("mask", "weights", "out") for word in (f"--{name}", given[name])]
        return ("track", given["video"], *options, *more)

    return build


Command = Callable[..., tuple[object, ...]]


def nothing_written(folder: Path) -> bool:
    return not (folder / "out").exists()


def test_no_such_video(limpet: Limpet, command: Command, tmp_path: Path) -> None:
    limpet(*command(video="gone.mp4")).refused("gone.mp4 does not exist; expected a video file")
    assert nothing_written(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.txt", b"notes of a person\n" * 20, "notes.txt is not a readable video"),
        ("fake.mp4", os.urandom(64) * 20, "fake.mp4 is not a readable video"),
        ("empty.mp4", b"", "empty.mp4 is empty (0 bytes)"),
    ],
)
def test_not_a_video(
    limpet: Limpet, command: Command, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    limpet(*command(video=name)).refused(words)
    assert nothing_written(tmp_path)


def test_zero_frames(limpet: Limpet, command: Command, clip: Path, tmp_path: Path) -> None:
    whole = clip.read_bytes()
    (tmp_path / "none.mp4").write_bytes(whole[: whole.index(b"mdat") + 4])
    limpet(*command(video="none.mp4")).refused("none.mp4 contains no frame that can be decoded")
    (tmp_path / "folder").mkdir()
    limpet(*command(video="folder")).refused("the folder folder contains no images")
    assert nothing_written(tmp_path)


def test_cut_off_before_its_index(limpet: Limpet, command: Command, tmp_path: Path) -> None:
    """Cameras write the index last: a recording that was cut off has none."""
    video = write_video(tmp_path / "cut.mov", [picture(index) for index in range(4)])
    whole = video.read_bytes()
    begin = whole.index(b"moov") - 4
    video.write_bytes(whole[:begin] + whole[whole.index(b"mdat") - 4 :])
    limpet(*command(video=video)).refused("cut.mov", "index (the moov atom) is missing or damaged")
    assert nothing_written(tmp_path)


def test_cut_off_after_its_index(limpet: Limpet, command: Command, tmp_path: Path) -> None:
    """What there is gets tracked and kept; that it is not all is an error."""
    video = write_video(tmp_path / "cut.mp4", [picture(index) for index in range(30)])
    whole = video.read_bytes()
    video.write_bytes(whole[: len(whole) * 2 // 3])
    outcome = limpet(*command(video=video))
    outcome.refused("the video ends after ", " of about 30 frames: the file is cut off or damaged")
    masks = masks_of(tmp_path / "out")
    assert 3 < len(masks) < 27 and frames_in(tmp_path / "out/overlay.mp4") == len(masks)
    assert outcome.out.startswith(f"{len(masks)} frames, ")


def test_a_damaged_frame_in_the_middle(limpet: Limpet, command: Command, tmp_path: Path) -> None:
    """Reported and counted; the rest goes on, so that the command succeeds."""
    video = write_video(tmp_path / "clip.mp4", [picture(index) for index in range(12)])
    damage_packet(video, 6)
    outcome = limpet(*command(video=video))
    outcome.succeeded()
    assert "note: frame 6 could not be decoded" in outcome.err and outcome.out.startswith("12 frames, ")
    masks = masks_of(tmp_path / "out")
    assert len(masks) == 12 and np.array_equal(masks[6], masks[5]), "its mask is the one before it"
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert 6 in report["undecoded_frames"] and len(report["failures"]) == len(report["undecoded_frames"])


def test_many_damaged_frames_fill_no_screen(limpet: Limpet, command: Command, tmp_path: Path) -> None:
    write_images(tmp_path / "shots", [picture(index) for index in range(12)])
    for index in range(1, 10):
        (tmp_path / f"shots/frame_{index:03d}.png").write_bytes(b"torn")
    outcome = limpet(*command(video="shots"))
    outcome.succeeded()
    lines = outcome.err.splitlines()
    assert len(lines) == 6 and lines[-1] == "note: and 4 more, see out/report.json"
    assert len(json.loads((tmp_path / "out/report.json").read_text())["failures"]) == 9


def bad_mask(folder: Path, kind: str) -> str:
    """Write a mask that cannot be used; returns what must be said of it."""
    path, good = folder / "bad.png", first_mask()
    if kind == "another size":
        write_mask(path, first_mask((40, 60)))
        return "mask is 40x60 but the frame is 49x65; resize it or pass --resize-mask"
    if kind == "no object":
        write_mask(path, np.zeros(SIZE, np.uint8))
        return "bad.png holds no object: every pixel is background (0)"
    if kind == "300 ids":
        ids = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 301
        Image.fromarray(ids.astype(np.uint16)).save(path)
        return "bad.png has 300 ids, but 255 is the limit"
    if kind == "16 bits":
        Image.fromarray(good.astype(np.uint16) * 2).save(path)
        return "bad.png is 16-bit with ids up to 400, but ids go from 1 to 255"
    if kind == "RGB":
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(path)
        return "bad.png has colours (mode RGB) where ids were expected"
    if kind == "JPEG":
        Image.fromarray(good).save(path, format="JPEG")
        return "bad.png is a JPEG file, whose compression changes ids"
    if kind == "no image":
        path.write_text("mask")
        return "bad.png cannot be read as an image"
    return "mask bad.png does not exist"


@pytest.mark.parametrize(
    "kind", ["another size", "no object", "300 ids", "16 bits", "RGB", "JPEG", "no image", "missing"]
)
def test_bad_masks(limpet: Limpet, command: Command, tmp_path: Path, kind: str) -> None:
    words = bad_mask(tmp_path, kind)
    limpet(*command(mask="bad.png")).refused(words)
    limpet(*command("--add", "3:bad.png")).refused(
        f"error: for frame 3: {words}" if "there" in words else words
    )
    assert nothing_written(tmp_path)


def bad_weights(folder: Path, good: Path, kind: str) -> str:
    path = folder / "bad.safetensors"
    if kind == "truncated":
        path.write_bytes(good.read_bytes()[:100_000])
        return "bad.safetensors is not a whole safetensors file"
    if kind == "junk":
        path.write_bytes(b"weights" * 1000)
        return "bad.safetensors is not a whole safetensors file"
    if kind == "empty":
        path.touch()
        return "bad.safetensors is not a whole safetensors file"
    if kind == "not ours":
        save_file({"a": torch.zeros(2)}, path)
        return (
            "bad.safetensors is a safetensors file but not one of limpet's; convert official checkpoints with"
        )
    return "there is no weights file at bad.safetensors"


def test_a_model_without_weights_says_where_they_come_from(
    limpet: Limpet, clip: Path, mask: Path, tmp_path: Path
) -> None:
    sentence = (
        "no weights for 'deaot-t' ship with limpet (those that do: deaot-l, deaot-nano, deaot-t-deformable, "
        "mobilevos-mobilenet-v2-small); train some, or convert the official DeAOTT_PRE_YTB_DAV.pth "
        "(https://github.com/yoxu515/aot-benchmark/blob/main/MODEL_ZOO.md) with limpet weights convert, and pass "
    )
    track = ("track", clip, "--mask", mask, "--out", "out", "--model", "deaot-t")
    limpet(*track).refused(f"{sentence}--weights FILE")
    assert nothing_written(tmp_path)
    distil = ("distill", "--out", "run", "--teacher", "deaot-t", "--videos", clip.parent)
    limpet(*distil).refused(f"{sentence}--teacher-weights FILE")


@pytest.mark.parametrize("kind", ["truncated", "junk", "empty", "not ours", "missing"])
def test_bad_weights(limpet: Limpet, command: Command, weights: Path, tmp_path: Path, kind: str) -> None:
    words = bad_weights(tmp_path, weights, kind)
    limpet(*command(weights="bad.safetensors")).refused(words)
    assert nothing_written(tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "deaot-x"), "there is no model called 'deaot-x'; did you mean deaot-"),
        (("--model", "deaot-s"), f"holds weights of {MODEL!r}, not of 'deaot-s'; pass --model {MODEL}"),
        (("--device", "gpu"), "there is no device 'gpu'; use auto, cpu or cuda"),
        (("--device", "meta"), "device 'meta' is not supported; use auto, cpu or cuda"),
        (("--device", "cuda"), "device is cuda, but torch finds no GPU here; pass --device cpu"),
        (("--precision", "fp8"), "precision is 'fp8', expected auto, fp32 or bf16"),
        (("--add", "new.png"), "--add is 'new.png'; expected FRAME:PNG"),
        (("--add", "3:a.png", "--add", "3:b.png"), "--add names frame 3 twice"),
    ],
)
def test_bad_options(
    limpet: Limpet,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    limpet(*command(*options)).refused(words)
    assert nothing_written(tmp_path)


def test_a_gpu_too_many(limpet: Limpet, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    limpet(*command("--device", "cuda:2")).refused(
        "there is no device 'cuda:2': the GPUs here go up to cuda:1"
    )


def test_a_mask_beyond_the_end(limpet: Limpet, command: Command, mask: Path, tmp_path: Path) -> None:
    """The length of a folder or an mp4 is known, that of MPEG-TS only at its end: there the results are kept."""
    write_images(tmp_path / "shots", [picture(index) for index in range(3)])
    limpet(*command("--add", f"3:{mask}", video="shots")).refused(
        "a mask is given for frame 3, but shots has 3 frames, 0 to 2"
    )
    assert nothing_written(tmp_path)
    video = write_video(tmp_path / "clip.ts", [picture(index) for index in range(FRAMES)])
    limpet(*command("--add", f"99:{mask}", video=video)).refused(
        "the mask for frame 99 was not used: the video has 8 frames, 0 to 7"
    )
    assert len(masks_of(tmp_path / "out")) == FRAMES


def test_a_mask_for_a_frame_that_is_damaged(
    limpet: Limpet, command: Command, mask: Path, tmp_path: Path
) -> None:
    write_images(tmp_path / "shots", [picture(index) for index in range(4)])
    (tmp_path / "shots/frame_002.png").write_bytes(b"torn")
    outcome = limpet(*command("--add", f"2:{mask}", video="shots"))
    assert outcome.code == 2 and len(masks_of(tmp_path / "out")) == 4
    assert "error: the mask for frame 2 was not used: that frame could not be decoded" in outcome.err


def test_a_first_frame_that_is_damaged(limpet: Limpet, command: Command, tmp_path: Path) -> None:
    write_images(tmp_path / "shots", [picture(index) for index in range(4)])
    (tmp_path / "shots/frame_000.png").write_bytes(b"torn")
    limpet(*command(video="shots")).refused(
        "the first frame of shots cannot be decoded, and the mask belongs to it"
    )
    assert nothing_written(tmp_path)


def test_somebody_elses_folder(limpet: Limpet, command: Command, tmp_path: Path) -> None:
    """--overwrite replaces results of limpet, never masks that a person drew."""
    (tmp_path / "out/masks").mkdir(parents=True)
    write_first_mask(tmp_path / "out/masks/00000.png")
    before = (tmp_path / "out/masks/00000.png").read_bytes()
    limpet(*command()).refused("out exists and is not empty")
    limpet(*command("--overwrite")).refused("was not made by limpet")
    assert (tmp_path / "out/masks/00000.png").read_bytes() == before
    assert len(list((tmp_path / "out").rglob("*"))) == 2


def test_a_file_where_the_folder_should_be(limpet: Limpet, command: Command, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    limpet(*command()).refused("out is a file; choose a folder for the results")
    limpet(*command(out="out/deeper")).refused("cannot write out/deeper: a part of the path is a file")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EACCES, "no permission to write there"), (errno.EROFS, "the disk is read-only")],
)
def test_no_permission(
    limpet: Limpet, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        limpet(*command()).refused("cannot write out: ", words)
    assert nothing_written(tmp_path)
    (tmp_path / "out").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "touch", refuse)
        limpet(*command()).refused("cannot write out: ", words)
    assert list((tmp_path / "out").iterdir()) == []


def full_from(target: str) -> Callable[..., Any]:
    """A `Path.replace` that finds the disk full once ``target`` is to get its name, and from then on."""
    replace = Path.replace
    full = False

    def replace_or_fail(path: Path, to: Path) -> Path:
        nonlocal full
        full = full or Path(to).name == target
        if full and Path(to).suffix == ".png":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return replace(path, to)

    return replace_or_fail


def test_the_disk_is_full(
    limpet: Limpet, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "replace", full_from("00005.png"))
    outcome = limpet(*command())
    assert outcome.code == 2
    problem, kept, way_on = outcome.err.splitlines()
    assert problem == (
        "error: cannot write out/masks/00005.png: no space left on the disk; free some, or choose another folder"
    )
    assert kept == "note: the results of 5 frames are kept in out"
    assert way_on == "note: to continue, give the same command with --resume"
    masks = masks_of(tmp_path / "out")
    assert len(masks) == 5 and set(np.unique(masks[0])) == {0, *IDS}
    assert frames_in(tmp_path / "out/overlay.mp4") == 5
    assert not [path for path in (tmp_path / "out").rglob("*") if ".tmp" in path.name]
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["complete"] is False and report["frames"] == 5 and "no space left" in report["stopped_by"]


def test_a_full_disk_loses_no_earlier_result(
    limpet: Limpet, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found out before the first frame, an earlier result in the folder is still there."""
    limpet(*command()).succeeded()
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "touch", refuse)
    limpet(*command("--overwrite")).refused("cannot write out: no space left on the disk")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_paths_are_told_in_one_piece(limpet: Limpet, command: Command) -> None:
    name = "_".join(["a_name_that_is_longer_than_any_terminal_is_wide"] * 3) + " of mine/clip.mp4"
    limpet(*command(video=name)).refused(f"{name} does not exist;")


@pytest.mark.parametrize(
    "words",
    [
        ("track", LONG, "--mask", "first.png", "--out", "out"),
        ("convert", LONG, "--to", "coco", "out.json"),
        ("project", "status", LONG),
        ("segment", LONG, "--point", "1,1", "--out", "out.png"),
        ("batch", LONG, "--out", "out"),
        ("eval", "davis", LONG),
        ("visualise", LONG, "--mask", "first.png", "--out", "out"),
    ],
    ids=lambda words: words[0],
)
def test_names_that_are_too_long_are_told(limpet: Limpet, words: tuple[str, ...]) -> None:
    limpet(*words).refused(f"{LONG[:80]}…: the name is too long; choose a shorter one")
