"""What is odd rather than wrong: told in plain words, in the terminal, in the report and by the exit code alike."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from limpet.cli.main import main
from limpet.core.masks import write_mask
from limpet.results.result_folder import ResultFolder
from limpet.video import pyav_decoding

from .clips import SIZE, first_mask, picture, write_video
from .command import Limpet
from .conftest import FRAMES
from .test_bad_input import Command, command, nothing_written

__all__ = ["command"]


def test_a_mask_that_was_resized_is_pointed_out(limpet: Limpet, command: Command, tmp_path: Path) -> None:
    """In the terminal and in the report."""
    large = Image.fromarray(first_mask((98, 130))).resize(SIZE[::-1], Image.Resampling.BILINEAR)
    large.save(tmp_path / "bad.png")
    outcome = limpet(*command("--max-frames", 1, "--no-overlay", mask="bad.png"))
    outcome.succeeded()
    assert "note: the mask of frame 0 looks resized: " in outcome.err
    notices = json.loads((tmp_path / "out/report.json").read_text())["notices"]
    assert any("looks resized" in notice for notice in notices)


def test_an_upright_mask_is_not_squeezed_into_a_lying_frame(
    limpet: Limpet, command: Command, tmp_path: Path
) -> None:
    write_mask(tmp_path / "up.png", first_mask((65, 49)))
    limpet(*command("--resize-mask", mask="up.png")).refused(
        "one is upright, the other lies; turn the mask by 90"
    )
    assert nothing_written(tmp_path)


def test_a_mask_for_a_frame_that_is_not_there_is_told_at_once(
    limpet: Limpet, command: Command, mask: Path, tmp_path: Path
) -> None:
    limpet(*command("--add", f"99:{mask}")).refused(
        f"a mask is given for frame 99, but clip.mp4 has {FRAMES} frames"
    )
    assert nothing_written(tmp_path)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ("inf", "max_seconds is inf; expected"),
        ("nan", "'--max-seconds': Input"),
        ("-1", "'--max-seconds': Input"),
    ],
)
def test_a_limit_that_is_no_time(
    limpet: Limpet, command: Command, seconds: str, words: str, tmp_path: Path
) -> None:
    limpet(*command("--max-seconds", seconds)).refused(words)
    assert nothing_written(tmp_path)


@pytest.mark.parametrize("option", ["--out", "--mask", "--weights", "--bundle"])
def test_an_empty_path_is_told(limpet: Limpet, clip: Path, mask: Path, option: str) -> None:
    """As where a variable of a script is not set."""
    words = {"--mask": mask, option: ""}
    limpet("track", clip, *(word for pair in words.items() for word in pair)).refused(f"{option} is empty")


def test_a_bundle_that_is_a_file(limpet: Limpet, clip: Path, mask: Path) -> None:
    limpet("track", clip, "--mask", mask, "--out", "out", "--bundle", mask).refused(
        "is a file; expected the folder"
    )


def test_more_objects_at_once_than_a_model_holds(limpet: Limpet, command: Command) -> None:
    outcome = limpet(*command("--objects-at-once", 11, "--max-frames", 1, "--no-overlay"))
    assert outcome.code == 0 and "note: --objects-at-once 11: a pass holds 10 objects" in outcome.err


def test_a_cut_off_video_is_one_story(limpet: Limpet, command: Command, tmp_path: Path) -> None:
    """The report, the exit code and --resume agree."""
    video = write_video(tmp_path / "cut.mp4", [picture(index) for index in range(12)])
    video.write_bytes(video.read_bytes()[:-300])
    told = limpet(*command("--no-overlay", video=video))
    assert told.code == 2 and "error: the video ends after " in told.err
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["complete"] is False and report["problems"] == [report["stopped_by"]]
    assert report["stopped_by"] in told.err
    again = limpet(*command("--no-overlay", "--resume", video=video))
    assert again.code == 2 and report["stopped_by"] in again.err and "complete already" not in again.out


def test_the_folder_of_results_is_removed_meanwhile(
    limpet: Limpet, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ResultFolder.add

    def add(self: ResultFolder, frame: Any, *rest: Any) -> None:
        if frame.index == 3:
            shutil.rmtree(self.path)
        original(self, frame, *rest)

    monkeypatch.setattr(ResultFolder, "add", add)
    outcome = limpet(*command("--no-overlay"))
    assert outcome.code == 2 and "are kept" not in outcome.err
    assert "note: out is gone, and the results of 3 frames with it" in outcome.err


@pytest.mark.parametrize(
    "problem",
    [
        MemoryError(),
        av.error.MemoryError(12, "Cannot allocate memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 640000 bytes"),
        RuntimeError("OpenCV(4.10) error: (-4:Insufficient memory) Failed to allocate 36000000 bytes"),
    ],
    ids=["python", "ffmpeg", "torch", "opencv"],
)
def test_too_little_memory_is_no_damage(
    limpet: Limpet, command: Command, problem: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever notices it, the frames so far are kept, and no frame counts as damaged."""
    original = pyav_decoding.Decoding._image
    taken: list[object] = []

    def image(self: pyav_decoding.Decoding, raw: Any) -> Any:
        taken.append(raw)
        if len(taken) > 5:
            raise problem
        return original(self, raw)

    monkeypatch.setattr(pyav_decoding.Decoding, "_image", image)
    outcome = limpet(*command("--no-overlay"))
    assert outcome.code == 2 and "error: there is not enough memory; reduce --max-size" in outcome.err
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["complete"] is False and report["undecoded_frames"] == [] and 2 < report["frames"] < FRAMES


def test_little_room_in_the_terminal(limpet: Limpet, monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in ("0", "-5", "wide"):
        monkeypatch.setenv("COLUMNS", columns)
        monkeypatch.setattr("limpet.cli.main.app", lambda: None)
        main()
        assert "COLUMNS" not in os.environ


def test_help_onto_a_full_disk() -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "limpet", "--help"]
        found = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert found.returncode == 2 and "Traceback" not in found.stderr
    assert found.stderr.startswith("error: cannot write a file: no space left on the disk")
