"""Runs that are killed: what an undisturbed run leaves, and what was on the disk after each of its frames.

What a kill leaves on the disk is a copy of the folder at that moment.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli.clips import write_images
from networks import frames, mask_of, small_tracker

from limpet.tracking.track_video import TrackResult, track
from limpet.tracking.tracker import Tracker

from .killed import COUNT, LATER, PIECE, TORN, Run, content


@contextmanager
def short_pieces() -> Iterator[None]:
    """The overlay has several pieces, and there is a state after every frame."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("limpet.video.encode.SEGMENT_FRAMES", PIECE)
        patch.setattr("limpet.tracking.state_checkpoints.INTERVAL", 0.0)
        patch.setattr("limpet.tracking.state_checkpoints.LARGEST_SHARE", 1e9)
        yield


@pytest.fixture(scope="session")
def tracker() -> Tracker:
    """Its memory grows."""
    return small_tracker(gap=2)


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames of which two cannot be read."""
    folder = write_images(tmp_path_factory.mktemp("stock") / "shots", frames(COUNT), "{:03d}.png")
    for index in TORN:
        (folder / f"{index:03d}.png").write_bytes(b"torn")
    return folder


@pytest.fixture(scope="session")
def tracked(tracker: Tracker, shots: Path) -> Run:
    """``track``, on the frames of ``shots`` with a later mask."""

    def tracked(out: Path, **more: Any) -> TrackResult:
        settings = {"tracker": tracker, "add": {5: LATER}} | more
        return track(shots, mask_of(7, 200), out, **settings)

    return tracked


@pytest.fixture
def run(tracked: Run) -> Iterator[Run]:
    """``track`` with a state after every frame."""
    with short_pieces():
        yield tracked


@pytest.fixture(scope="session")
def stock(tracked: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run in ``whole``; in ``3`` what was on the disk after three frames, and so on."""
    folder = tmp_path_factory.mktemp("runs")
    with short_pieces():
        tracked(
            folder / "whole",
            on_frame=lambda done, total: shutil.copytree(folder / "whole", folder / str(done)),
        )
    return folder


@pytest.fixture(scope="session")
def undisturbed(stock: Path) -> dict[str, bytes]:
    return content(stock / "whole")
