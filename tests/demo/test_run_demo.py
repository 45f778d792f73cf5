"""The demo from end to end, with trackers that know the answer, or know nothing."""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import DataError, OutputError
from limpet.core.masks import read_mask
from limpet.demo import run_demo as run
from limpet.demo.demo_clip import OBJECT_NAMES, demo_masks, demo_video, first_mask
from limpet.demo.run_demo import DemoResult, run_demo
from limpet.video import encode
from limpet.video.open import open_video
from limpet.video.video_reader import Frame

FRAMES, FEW = 88, 12


class Replay:
    """A tracker that answers with masks it was handed beforehand; its state counts frames."""

    def __init__(self, masks: np.ndarray) -> None:
        self.masks = masks
        self.given: np.ndarray | None = None
        self.frames: list[tuple[int, ...]] = []

    def start(self, frame: np.ndarray, mask: np.ndarray) -> SimpleNamespace:
        self.given = mask
        self.frames.append(frame.shape)
        return SimpleNamespace(index=0)

    def step(self, frame: np.ndarray, state: SimpleNamespace) -> tuple[np.ndarray, SimpleNamespace]:
        self.frames.append(frame.shape)
        index = state.index + 1
        return self.masks[index], SimpleNamespace(index=index, confidence=dict.fromkeys(OBJECT_NAMES, 0.9))


@pytest.fixture(scope="module")
def exact() -> Replay:
    return Replay(demo_masks())


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, exact: Replay) -> DemoResult:
    return run_demo(tmp_path_factory.mktemp("demo") / "out", exact, info={"model": "replay"})


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first FEW frames of the clip."""
    path = tmp_path_factory.mktemp("beginning") / "clip.mp4"
    with open_video(demo_video()) as video:
        writer = encode.H264Writer(path, video.size)
        for frame in islice(video, FEW):
            writer.write(frame.image, frame.index / 24)
        writer.close()
    return path


@pytest.fixture
def few(beginning: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The clip of the package is short; its masks."""
    masks = demo_masks()[:FEW]
    monkeypatch.setattr(run, "demo_video", lambda: beginning)
    monkeypatch.setattr(run, "demo_masks", masks.copy)
    return masks.copy()


def hold(monkeypatch: pytest.MonkeyPatch, masks: np.ndarray) -> None:
    """Let the package hold other masks."""
    monkeypatch.setattr(run, "demo_masks", lambda: masks)


def test_exact_masks_score_one(result: DemoResult) -> None:
    assert result.scores.j_mean == result.scores.f_mean == result.scores.j_and_f == 1.0
    assert [scored.object_id for scored in result.scores.objects] == list(OBJECT_NAMES)


def test_tracker_gets_every_frame_and_the_first_mask(result: DemoResult, exact: Replay) -> None:
    assert exact.given is not None and np.array_equal(exact.given, first_mask())
    assert exact.frames == [(288, 512, 3)] * FRAMES


def test_first_and_last_frame_are_not_scored(result: DemoResult, few: np.ndarray, tmp_path: Path) -> None:
    assert {len(scored.region) for scored in result.scores.objects} == {FRAMES - 2}
    few[-1] = 0
    assert run_demo(tmp_path / "out", Replay(few)).scores.j_and_f == 1.0


def test_one_wrong_frame_costs_its_share(few: np.ndarray, tmp_path: Path) -> None:
    few[6][few[6] == 2] = 0
    scores = run_demo(tmp_path / "out", Replay(few)).scores
    assert scores.j_mean == pytest.approx(1 - 1 / (FEW - 2) / len(OBJECT_NAMES))


def test_a_tracker_that_stands_still_scores_low(tmp_path: Path) -> None:
    scores = run_demo(tmp_path / "out", Replay(np.repeat(first_mask()[None], FRAMES, 0))).scores
    astronaut, cat, cup = (scored.j_and_f for scored in scores.objects)
    assert cat < 0.2 and cup < 0.2 and scores.j_and_f < 0.4 < astronaut < 0.8


def test_results_are_those_of_any_video(result: DemoResult) -> None:
    masks = sorted((result.folder / "masks").iterdir())
    assert len(masks) == FRAMES
    assert np.array_equal(read_mask(masks[50]), demo_masks()[50])
    assert result.overlay is not None and result.notices == ()
    with open_video(result.overlay) as overlay:
        assert sum(1 for _ in overlay) == FRAMES and overlay.size == (288, 512)
    assert '"replay"' in (result.folder / "report.json").read_text(encoding="utf-8")


def test_report_is_complete(result: DemoResult) -> None:
    assert json.loads((result.folder / "report.json").read_text(encoding="utf-8"))["complete"] is True


@pytest.mark.usefixtures("few")
def test_progress_and_speed_are_told(tmp_path: Path, exact: Replay) -> None:
    seen: list[tuple[int, int]] = []
    result = run_demo(tmp_path / "out", exact, on_frame=lambda done, total: seen.append((done, total)))
    assert seen == [(done, FEW) for done in range(1, FEW + 1)]
    assert result.scores.steps == FEW - 1 and (result.scores.frames_per_second or 0) > 0


def test_used_folder_is_refused(result: DemoResult, exact: Replay) -> None:
    with pytest.raises(OutputError, match="not empty"):
        run_demo(result.folder, exact)


def test_earlier_result_is_replaced_on_demand(result: DemoResult, few: np.ndarray, tmp_path: Path) -> None:
    out = Path(shutil.copytree(result.folder, tmp_path / "out"))
    run_demo(out, Replay(np.zeros_like(few)), overwrite=True)
    assert len(list((out / "masks").iterdir())) == FEW
    assert not np.asarray(Image.open(out / "masks" / "00010.png")).any()


@pytest.mark.parametrize("count", [FEW - 1, FEW + 1])
@pytest.mark.usefixtures("few")
def test_clip_of_another_length_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact: Replay, count: int
) -> None:
    hold(monkeypatch, np.repeat(first_mask()[None], count, 0))
    with pytest.raises(DataError, match=f"has {FEW} frames but there are {count} masks; .*pip install"):
        run_demo(tmp_path / "out", exact)


def test_masks_of_another_size_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact: Replay
) -> None:
    hold(monkeypatch, demo_masks()[:, :100])
    with pytest.raises(DataError, match="the demo clip is 288x512 but its masks are 100x512"):
        run_demo(tmp_path / "out", exact)
    assert not (tmp_path / "out").exists()


def test_frame_that_cannot_be_decoded_is_told() -> None:
    with pytest.raises(DataError, match=r"frame 3 of the demo clip cannot be decoded; .*pip install"):
        next(run._checked([Frame(3, None, 0.1)], 1))


def test_empty_clip_is_told() -> None:
    with pytest.raises(DataError, match="has 0 frames but there are 2 masks"):
        next(run._checked([], 2))


@pytest.mark.usefixtures("few")
def test_missing_encoder_leaves_the_overlay_out_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact: Replay
) -> None:
    def no_encoder() -> None:
        raise encode.EncoderMissingError("no h264 encoder here")

    monkeypatch.setattr(encode, "find_encoder", no_encoder)
    result = run_demo(tmp_path / "out", exact)
    assert result.overlay is None and result.scores.j_and_f == 1.0
    assert any("no h264 encoder here" in notice for notice in result.notices)
