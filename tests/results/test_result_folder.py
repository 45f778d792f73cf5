"""The folder of results: complete, safe when stopped, and careful with what is there already."""

from __future__ import annotations

import errno
import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from video.clips import SIZE, picture

from limpet.core.errors import OutputError
from limpet.core.masks import read_mask, write_mask
from limpet.results.journal import ROW, FrameRecord
from limpet.results.result_folder import ResultFolder
from limpet.video.open import open_video
from limpet.video.video_reader import FailureKind, Frame, ReadFailure

RATE = Fraction(25)
OURS = {"masks", "overlay.mp4", "report.json", "report.html", "report.png"}


def mask_of(index: int) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[10:20, 5 + index : 15 + index] = 7
    mask[30:40, 20:30] = 200
    return mask


def fill(result: ResultFolder, count: int, start: int = 0) -> None:
    for index in range(start, start + count):
        result.add(Frame(index, picture(index), index / 25), mask_of(index), {7: 0.9, 200: 0.8})


def report_of(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def frames_in(path: Path) -> int:
    with open_video(path) as video:
        count = len(list(video))
        assert video.failures == []
    return count


def test_a_whole_result(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    info = {"source": "clip.mp4", "model": "deaot-t", "weights_sha256": "ab" * 32, "max_size": 480}
    with ResultFolder(out, size=SIZE, frame_rate=RATE, object_ids=(7,), info=info) as result:
        fill(result, 12)
        assert result.frames_written == 12
    assert names(out) == OURS
    assert names(out / "masks") == {f"{index:05d}.png" for index in range(12)}
    assert np.array_equal(read_mask(out / "masks" / "00003.png"), mask_of(3)), "ids 7 and 200 stay"
    assert frames_in(out / "overlay.mp4") == 12
    report = report_of(out)
    assert (report["complete"], report["stopped_by"], report["frames"]) == (True, None, 12)
    assert (report["model"], report["info"]) == ("deaot-t", {"max_size": 480})
    assert [(item["id"], item["first_frame"]) for item in report["objects"]] == [(7, 0), (200, 0)]
    with Image.open(out / "report.png") as image:
        assert image.width == 1280
    assert "clip.mp4" in (out / "report.html").read_text()


def test_masks_are_there_while_it_runs(tmp_path: Path) -> None:
    with ResultFolder(tmp_path / "out", size=SIZE) as result:
        fill(result, 2)
        assert names(tmp_path / "out" / "masks") == {"00000.png", "00001.png"}
        assert not report_of(tmp_path / "out")["complete"], "a killed run must not look complete"


@pytest.mark.parametrize(
    ("failure", "stopped_by"), [(KeyboardInterrupt(), "interrupted"), (RuntimeError("bad"), "bad")]
)
def test_stopping_leaves_valid_output_up_to_the_last_frame(
    tmp_path: Path, failure: BaseException, stopped_by: str
) -> None:
    out = tmp_path / "out"
    with pytest.raises(type(failure)), ResultFolder(out, size=SIZE, frame_rate=RATE) as result:
        fill(result, 9)
        raise failure
    assert names(out) == OURS
    assert len(names(out / "masks")) == 9 == frames_in(out / "overlay.mp4") == report_of(out)["frames"]
    assert (report_of(out)["complete"], report_of(out)["stopped_by"]) == (False, stopped_by)
    assert "stopped early" in (out / "report.html").read_text()
    for path in (out / "masks").iterdir():
        read_mask(path, SIZE)


def test_stopping_within_a_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt), ResultFolder(out, size=SIZE, frame_rate=RATE) as result:
        fill(result, 4)

        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("limpet.results.result_folder.draw_overlay", interrupt)
        fill(result, 1, start=4)
    assert len(names(out / "masks")) == 4 == frames_in(out / "overlay.mp4") == report_of(out)["frames"]


def test_variable_times_reach_the_overlay(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.3, 0.31]
    with ResultFolder(tmp_path / "out", size=SIZE, frame_rate=RATE) as result:
        for index, time in enumerate(times):
            result.add(Frame(index, picture(index), time), mask_of(index), {})
    with open_video(tmp_path / "out" / "overlay.mp4") as video:
        assert [frame.time for frame in video] == pytest.approx(times, abs=1e-4)


def test_a_frame_without_picture_keeps_its_place(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with ResultFolder(out, size=SIZE, frame_rate=RATE) as result:
        result.failures = [ReadFailure(FailureKind.UNREADABLE, 2, "could not be decoded")]
        fill(result, 2)
        result.add(Frame(2, None, 2 / 25), mask_of(1), {7: 0.9})
        fill(result, 2, start=3)
    report = report_of(out)
    assert report["undecoded_frames"] == [2]
    assert report["failures"] == [
        {"kind": "unreadable", "frame": 2, "detail": "could not be decoded", "label": ""}
    ]
    assert report["objects"][0]["confidence"][2] is None
    assert np.array_equal(read_mask(out / "masks" / "00002.png"), mask_of(1))
    assert frames_in(out / "overlay.mp4") == 5


def test_existing_folder_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(
        OutputError, match="exists and is not empty; choose another folder, or pass overwrite=True"
    ):
        ResultFolder(tmp_path)
    assert names(tmp_path) == {"thesis.txt"}


def test_overwrite_replaces_our_files_and_only_those(tmp_path: Path) -> None:
    with ResultFolder(tmp_path, size=SIZE) as result:
        fill(result, 6)
    (tmp_path / "thesis.txt").write_text("mine")
    (tmp_path / "masks" / "best.png").write_text("mine")
    (tmp_path / ".report.0a1b2c3d.tmp.json").write_text("left by a killed run")
    with ResultFolder(tmp_path, size=SIZE, overwrite=True) as result:
        fill(result, 2)
    assert names(tmp_path) == OURS | {"thesis.txt"}
    assert names(tmp_path / "masks") == {"00000.png", "00001.png", "best.png"}


def test_overwrite_spares_the_earlier_result_until_there_is_a_new_one(tmp_path: Path) -> None:
    with ResultFolder(tmp_path, size=SIZE) as result:
        fill(result, 3)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RuntimeError), ResultFolder(tmp_path, size=SIZE, overwrite=True):
        raise RuntimeError
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_overwrite_never_replaces_somebody_elses_masks(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    write_mask(tmp_path / "masks" / "00000.png", mask_of(0))
    with pytest.raises(OutputError, match=r"00000.png exists and was not made by limpet"):
        ResultFolder(tmp_path, overwrite=True)
    assert names(tmp_path / "masks") == {"00000.png"}


def test_nothing_added_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), ResultFolder(tmp_path / "a" / "out", size=SIZE):
        raise RuntimeError
    assert names(tmp_path) == set()


def test_failing_in_the_first_frame_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OutputError("cannot write: no space left")

    monkeypatch.setattr("limpet.results.result_folder.write_mask", full)
    with pytest.raises(OutputError), ResultFolder(tmp_path / "out", size=SIZE) as result:
        fill(result, 1)
    assert names(tmp_path) == set()


def test_disk_full_keeps_the_frames_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, write = tmp_path / "out", Path.write_bytes

    def until_full(target: Path, data: bytes) -> int:
        if "00005" in target.name:
            write(target, b"half a PNG")
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(target, data)

    monkeypatch.setattr(Path, "write_bytes", until_full)
    message = r"cannot write .*00005.png: no space left on the disk; free some"
    with pytest.raises(OutputError, match=message), ResultFolder(out, size=SIZE, frame_rate=RATE) as result:
        fill(result, 9)
    assert names(out / "masks") == {f"{index:05d}.png" for index in range(5)}
    assert frames_in(out / "overlay.mp4") == 5
    assert "no space left" in report_of(out)["stopped_by"]


def test_disk_full_at_the_end_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("limpet.video.encode.H264Writer.close", full)
    message = r"cannot write .*overlay.mp4: no space left"
    with pytest.raises(OutputError, match=message), ResultFolder(tmp_path / "out", size=SIZE) as result:
        fill(result, 3)
    assert report_of(tmp_path / "out")["frames"] == 3 and len(names(tmp_path / "out" / "masks")) == 3


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "touch", denied)
    with (
        pytest.raises(OutputError, match=r"cannot write .*out: no permission to write there; choose another"),
        ResultFolder(tmp_path / "out"),
    ):
        pass
    assert names(tmp_path) == set()


def test_path_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = "a part of the path is a file"
    with pytest.raises(OutputError, match=message), ResultFolder(tmp_path / "file" / "out"):
        pass
    with pytest.raises(OutputError, match="file is a file; choose a folder for the results"):
        ResultFolder(tmp_path / "file")


def test_without_an_encoder_the_overlay_is_left_out_with_a_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with ResultFolder(tmp_path / "out", size=SIZE) as result:
        fill(result, 3)
        assert result.notices == [
            "overlay.mp4 was left out: PyAV is not installed; install it with: pip install av"
        ]
    assert names(tmp_path / "out") == OURS - {"overlay.mp4"}
    assert report_of(tmp_path / "out")["notices"] == result.notices


def test_overlay_can_be_declined(tmp_path: Path) -> None:
    with ResultFolder(tmp_path / "out", overlay=False) as result:
        fill(result, 3)
    assert names(tmp_path / "out") == OURS - {"overlay.mp4"} and result.notices == []


def test_mask_of_another_size(tmp_path: Path) -> None:
    with (
        ResultFolder(tmp_path / "out") as result,
        pytest.raises(ValueError, match=r"mask is .* but the frame is"),
    ):
        result.add(Frame(0, picture(0), 0.0), np.zeros((3, 3), np.uint8), {})


def test_a_record_has_the_failures_that_came_with_its_frame(tmp_path: Path) -> None:
    """While one frame is written, reading the next may fail: that belongs to the next."""
    result = ResultFolder(tmp_path / "out", overlay=False)
    run = result.keep_journal({})
    with result:
        messages = result.messages_so_far()
        result.failures.append(ReadFailure(FailureKind.DAMAGED, 1, "is damaged"))
        result.add(Frame(0, picture(0), 0.0), mask_of(0), {}, messages)
        fill(result, 1, start=1)
        failures = [FrameRecord.from_dict(line.facts).failures for line in run.read()[1] if line.kind == ROW]
    assert failures == [(), (ReadFailure(FailureKind.DAMAGED, 1, "is damaged"),)]
