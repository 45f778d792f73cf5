"""Real workers: their outputs are those of ``limpet track``, byte for byte, also after a worker was killed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from cli.clips import picture, write_first_mask, write_images, write_video

import limpet
from limpet.batch.config import BatchConfig
from limpet.batch.job_settings import JobSettings
from limpet.batch.run_batch import BatchProgress, process_workers, run_batch
from limpet.results.run_folder import RUN_FOLDER

SETTINGS = JobSettings(model="deaot-nano", max_size=48, enlarge=1.0, precision="fp32")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two clips, of which one is to be killed in, a folder of frames, and two that fail."""
    folder = tmp_path_factory.mktemp("clips")
    write_video(folder / "long.mp4", [picture(index) for index in range(60)])
    write_video(folder / "short.mp4", [picture(index) for index in range(4)])
    write_images(folder / "frames", [picture(index) for index in range(3)])
    for name in ("long", "short", "frames", "bad", "wrong-size"):
        write_first_mask(folder / f"{name}.png")
    (folder / "bad.mp4").write_bytes(b"no video")
    write_video(folder / "wrong-size.mp4", [picture(0, (33, 47))])
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kill_in(folder: Path, process: list[int]) -> None:
    """Kill the worker once a state of its job is saved."""
    journal = folder / RUN_FOLDER / "journal.txt"
    until = time.monotonic() + 90
    while time.monotonic() < until:
        if journal.exists() and b'{"state"' in journal.read_bytes():
            os.kill(process[0], signal.SIGKILL)
            return
        time.sleep(0.002)


def test_outputs_are_those_of_limpet_track_though_a_worker_was_killed(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    out, process, seen = tmp_path / "out", list[int](), list[BatchProgress]()
    real = limpet.batch.process_worker.start_process

    def note_process(launch: limpet.batch.process_worker.Launch) -> object:
        started = real(launch)
        process.append(started.pid)
        return started

    monkeypatch.setattr("limpet.batch.process_worker.start_process", note_process)
    killer = threading.Thread(target=kill_in, args=(out / "long", process))
    killer.start()
    config = BatchConfig(workers=1, device="cpu")
    result = run_batch(
        clips, out, config, settings=SETTINGS, on_progress=seen.append, make_workers=process_workers
    )
    killer.join()
    assert len(process) == 2, "one was killed, and one took its place"
    assert (result.done, result.failed) == (3, 2)
    reasons = {each["name"]: each["reason"] for each in json.loads((out / "batch.json").read_text())["jobs"]}
    assert "bad.mp4 is not a readable video" in reasons["bad"]
    assert "pass --resize-mask" in reasons["wrong-size"]
    assert any(each.frames and each.outcome is None for each in seen), "frames are told while a job is done"

    tracker = limpet.load("deaot-nano", max_size=48, enlarge=1.0, precision="fp32", device="cpu")
    for name in ("long", "short", "frames"):
        video = clips / name if name == "frames" else clips / f"{name}.mp4"
        limpet.track(video, clips / f"{name}.png", tmp_path / name, tracker=tracker)
        alone = content(tmp_path / name)
        assert alone and content(out / name) == alone
