"""``limpet batch``: the words of a person, and what it says."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from limpet.results.run_folder import RUN_FOLDER

from .clips import picture, write_first_mask, write_video
from .command import Limpet, finish, start

SMALL = ("--model", "deaot-nano", "--max-size", "48", "--enlarge", "1", "--no-overlay", "--device", "cpu")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    write_video(folder / "dog.mp4", [picture(index) for index in range(40)])
    write_first_mask(folder / "dog.png")
    write_first_mask(folder / "dog@30.png")
    (folder / "bad.mp4").write_bytes(b"no video")
    write_first_mask(folder / "bad.png")
    (folder / "lonely.mp4").touch()
    return folder


def test_a_killed_batch_goes_on_with_the_same_command(limpet: Limpet, clips: Path, tmp_path: Path) -> None:
    command = ("batch", "clips", "--out", "out", "--workers", 1, *SMALL)
    journal = tmp_path / "out/dog" / RUN_FOLDER / "journal.txt"
    process = start(*command, cwd=tmp_path)
    until = time.monotonic() + 100
    while not (journal.exists() and b'{"state"' in journal.read_bytes()):
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    finish(process)
    outcome = limpet(*command)
    assert outcome.code == 1, "one failed"
    assert outcome.out == "1 of 2 jobs done -> out/batch.html\n"
    bad, skipped = outcome.err.splitlines()
    assert bad.startswith("note: bad: ") and "bad.mp4 is not a readable video" in bad
    assert skipped == "note: skipped lonely.mp4: there is no mask lonely.png beside it"
    masks = ("--mask", "clips/dog.png", "--add", "30:clips/dog@30.png")
    limpet("track", "clips/dog.mp4", *masks, "--out", "alone", *SMALL).succeeded()
    names = sorted(path.name for path in (tmp_path / "alone/masks").iterdir())
    assert len(names) == 40
    for name in ["report.html", "report.png", *(f"masks/{name}" for name in names)]:
        assert (tmp_path / "out/dog" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes(), name

    (clips / "bad.mp4").unlink()
    again = limpet(*command)
    again.succeeded()
    assert (
        again.out == "1 of 1 job done -> out/batch.html\n" and "note: 1 job had been done before" in again.err
    )
    assert json.loads((tmp_path / "out/batch.json").read_text())["counts"]["done"] == 1


def test_what_is_refused_before_any_work(limpet: Limpet, clips: Path, tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("video,mask\nclips/dog.mp4,clips/dog.png\nold/dog.mp4,old/dog.png\n")
    limpet("batch", "jobs.csv", "--out", "out").refused("jobs 1 and 2 have the same output, 'dog'")
    limpet("batch", "nothing", "--out", "out").refused("nothing does not exist; expected a folder of videos")
    limpet("batch", "clips", "--out", "out", "--scales", "big").refused("--scales is 'big'")
    limpet("batch", "clips", "--out", "out", "--bundle", "b", "--flip").refused(
        "flip does not go with a bundle"
    )
    (tmp_path / "out/dog").mkdir(parents=True)
    (tmp_path / "out/dog/thesis.txt").touch()
    limpet("batch", "clips", "--out", "out").refused("out/dog exists, and was not made by this batch")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["dog"]
