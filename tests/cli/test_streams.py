"""`limpet track` at the end of a pipe, and `limpet frame`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.cli.track import stream_folder

from .clips import SIZE, masks_of, picture, write_video
from .command import PROGRAM, Limpet
from .conftest import FRAMES


def test_a_clip_through_standard_input(clip: Path, mask: Path, full_weights: Path, tmp_path: Path) -> None:
    command = [*PROGRAM, "track", "-", "--mask", str(mask), "--weights", str(full_weights)]
    done = subprocess.run(command, cwd=tmp_path, input=clip.read_bytes(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    said = done.stdout.decode()
    assert said.startswith(f"{FRAMES} frames, objects 7, 200, ")
    assert "no frame dropped, latency " in said and " -> standard-input-masks\n" in said
    assert len(masks_of(tmp_path / "standard-input-masks")) == FRAMES


def test_bad_streams_are_one_sentence(limpet: Limpet, clip: Path, mask: Path) -> None:
    limpet("track", "gopher://x", "--mask", mask).refused("addresses with gopher:// cannot be read")
    limpet("track", "tcp://127.0.0.1:1", "--mask", mask).refused("cannot be opened: connection refused")
    limpet("track", clip, "--mask", mask, "--live", "drop").refused("clip.mp4 is not a stream")


@pytest.mark.skipif(sys.platform != "linux", reason="cameras have other names")
def test_no_camera(limpet: Limpet, mask: Path) -> None:
    limpet("track", "camera:97", "--mask", mask).refused(
        "camera 97 cannot be opened: no such file", "cameras here:"
    )


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("standard input", "standard-input-masks"),
        ("camera 0", "camera-0-masks"),
        ("rtsp://camera.local:554/live", "rtsp-camera.local-554-live-masks"),
    ],
)
def test_default_folders(name: str, folder: str) -> None:
    assert stream_folder(name) == Path(folder)


def test_a_frame_to_draw_on(limpet: Limpet, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mkv", [picture(index) for index in range(4)])
    outcome = limpet("frame", clip, "--out", "second.png", "--at", 1)
    outcome.succeeded()
    assert outcome.out == f"frame 1 at 0.04 s, {SIZE[0]}x{SIZE[1]} -> second.png\n"
    with Image.open(tmp_path / "second.png") as image:
        assert np.abs(np.array(image).astype(int) - picture(1)).mean() < 12
    limpet("frame", clip, "--out", "second.png").refused("second.png exists", "--overwrite")
    limpet("frame", clip, "--out", "late.png", "--at", 4).refused("clip.mkv ends before frame 4")
    limpet("frame", clip, "--out", "first.jpg").refused(
        "--out is first.jpg; expected a name that ends in .png"
    )
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mkv", "second.png"}
