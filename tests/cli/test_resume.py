"""`limpet track --resume`: after kill -9, and in every other case that a person may try it in."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from limpet.results.run_folder import RUN_FOLDER, is_unfinished

from .clips import picture, write_video
from .command import Limpet, finish, start
from .conftest import FRAMES

COUNT, LAST = 20, 7
KILLED = f"""
import os, signal
from limpet.tracking.state_checkpoints import Checkpoints
offer = Checkpoints.offer
def offer_and_die(self, index, state):
    offer(self, index, state)
    if index == {LAST}:
        self.flush()
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoints.offer = offer_and_die
"""
"""The process is killed when the state after frame LAST is written."""


@pytest.fixture(scope="module")
def middling_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With frames before and after the one at which it is killed."""
    return write_video(
        tmp_path_factory.mktemp("middling") / "clip.mp4", [picture(index) for index in range(COUNT)]
    )


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As many as in the processes that are killed: another number would be told in the report."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_killed_and_resumed_is_the_same_byte_for_byte(
    limpet: Limpet, middling_clip: Path, mask: Path, full_weights: Path, tmp_path: Path, one_thread: None
) -> None:
    command = ("track", middling_clip, "--mask", mask, "--weights", full_weights, "--no-overlay")
    assert finish(start(*command, "--out", "killed", cwd=tmp_path, before=KILLED)).code == -signal.SIGKILL
    assert is_unfinished(tmp_path / "killed")
    limpet(*command, "--out", "killed").refused("killed holds an unfinished run; pass --resume")
    outcome = limpet(*command, "--out", "killed", "--resume")
    outcome.succeeded()
    assert outcome.err.startswith(f"note: continued after {LAST + 1} frames")
    limpet(*command, "--out", "whole").succeeded()
    resumed, whole = content(tmp_path / "killed"), content(tmp_path / "whole")
    assert resumed.keys() == whole.keys() and len(whole) == COUNT + 3
    assert resumed["report.json"] == whole["report.json"]
    assert resumed == whole


def test_nothing_to_resume(limpet: Limpet, clip: Path, mask: Path, full_weights: Path) -> None:
    outcome = limpet("track", clip, "--mask", mask, "--weights", full_weights, "--out", "out", "--resume")
    outcome.succeeded()
    assert outcome.err == "note: there is nothing to resume in out; starting at the first frame\n"
    again = limpet("track", clip, "--mask", mask, "--weights", full_weights, "--out", "out", "--resume")
    again.succeeded()
    assert again.out == f"out was complete already: {FRAMES} frames, objects 7, 200\n" and again.err == ""


def test_words_that_contradict(limpet: Limpet, clip: Path, mask: Path, tmp_path: Path) -> None:
    limpet("track", clip, "--mask", mask, "--resume", "--overwrite").refused("not both")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").touch()
    limpet("track", clip, "--mask", mask, "--out", "mine", "--resume").refused(
        "mine is not empty and holds no run to resume"
    )
    assert not (tmp_path / "mine" / RUN_FOLDER).exists()
