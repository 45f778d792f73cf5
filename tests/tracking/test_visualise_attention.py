"""A clip is tracked and its attention drawn: what is drawn, what is kept when it is stopped, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli.clips import write_images
from networks import HEIGHT, WIDTH, frames, mask_of, same_state, small_tracker
from PIL import Image

from limpet.core.errors import MaskError, ModelError, VideoError
from limpet.core.masks import write_mask
from limpet.state import TrackerState
from limpet.tracking import visualise_attention as module
from limpet.tracking.tracker import Tracker
from limpet.tracking.visualise_attention import VisualiseConfig, visualise

COUNT = 6


@pytest.fixture(scope="module")
def tracker() -> Tracker:
    return small_tracker()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    return write_images(tmp_path / "shots", frames(COUNT), "{:03d}.png")


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    write_mask(tmp_path / "first.png", mask_of(7, 200))
    return tmp_path / "first.png"


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_frames_asked_for_are_drawn_and_described(
    tracker: Tracker, shots: Path, mask: Path, tmp_path: Path
) -> None:
    config = VisualiseConfig(what=("maps", "query"), frames=(2, 4), query=(10, 20), movies=False)
    result = visualise(shots, mask, tmp_path / "out", tracker=lambda: tracker, config=config)
    assert (result.kinds, result.pictures, result.frames, result.problems) == (("maps", "query"), 4, 2, ())
    assert files_in(result.folder) == [
        "maps/00002.png", "maps/00004.png", "query/00002.png", "query/00004.png", "visualise.json"
    ]  # fmt: skip
    facts = json.loads((result.folder / "visualise.json").read_text())
    assert (facts["source"], facts["query"], facts["frames"]) == ("shots", [10, 20], [2, 4])
    assert np.ptp(np.array(Image.open(result.folder / "maps/00002.png"))) > 0


def test_drawing_does_not_change_what_is_tracked(
    tracker: Tracker, shots: Path, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[TrackerState] = []
    really = module.follow

    def followed(*arguments):  # type: ignore[no-untyped-def]
        for step in really(*arguments):
            seen.append(step[2])
            yield step

    monkeypatch.setattr(module, "follow", followed)
    visualise(shots, mask, tmp_path / "out", tracker=tracker, config=VisualiseConfig(what=("maps",)))
    pictures = frames(COUNT)
    state = tracker.start(pictures[0], mask_of(7, 200))
    for picture, found in zip(pictures[1:], seen[1:], strict=True):
        _, state = tracker.step(picture, state)
        assert same_state(state, found)


def test_attention_is_computed_only_for_frames_that_are_drawn(
    tracker: Tracker, shots: Path, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    really = module.attention_of_step

    def counted(tracker, frame, state, *rest):  # type: ignore[no-untyped-def]
        looked.append(state.frame_index + 1)
        return really(tracker, frame, state, *rest)

    monkeypatch.setattr(module, "attention_of_step", counted)
    config = VisualiseConfig(what=("maps",), frames=(2, 4), movies=False)
    done: list[int] = []
    visualise(
        shots, mask, tmp_path / "out", tracker=lambda: tracker, config=config,
        on_frame=lambda index, total, drawn: done.append(index),
    )  # fmt: skip
    assert looked == [2, 4] and done[-1] == 5, "and the last of them ends the run"


def test_ctrl_c_keeps_what_is_drawn(tracker: Tracker, shots: Path, mask: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int | None, drawn: int) -> None:
        if drawn == 3:
            raise KeyboardInterrupt

    config = VisualiseConfig(what=("maps",), every=2)
    with pytest.raises(KeyboardInterrupt):
        visualise(shots, mask, tmp_path / "out", tracker=lambda: tracker, config=config, on_frame=stop)
    assert files_in(tmp_path / "out") == ["maps.mp4", "maps/00002.png", "visualise.json"]


def test_a_frame_beyond_the_end_is_a_problem_and_the_rest_is_drawn(
    tracker: Tracker, shots: Path, mask: Path, tmp_path: Path
) -> None:
    config = VisualiseConfig(what=("maps",), frames=(2, 40), movies=False)
    result = visualise(shots, mask, tmp_path / "out", tracker=lambda: tracker, config=config)
    assert result.frames == 1 and result.problems == (
        f"frame 40 was not drawn: shots has {COUNT} frames, 0 to {COUNT - 1}",
    )


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        ({"object_id": 3}, MaskError, "the mask holds no object 3; it has 7, 200"),
        ({"query": (WIDTH, 2)}, VideoError, f"outside the frame, which is {WIDTH} wide and {HEIGHT} high"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_a_model_is_loaded(
    shots: Path, mask: Path, tmp_path: Path, config: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        visualise(
            shots, mask, tmp_path / "out", tracker=lambda: pytest.fail("a model was loaded"),
            config=VisualiseConfig(**config),  # type: ignore[arg-type]
        )  # fmt: skip
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        ({"what": ("map",)}, ModelError, "there is no picture 'map'; choose from maps"),
        ({"frames": (0, 3)}, VideoError, "frame 0 cannot be drawn"),
        ({"every": 0}, VideoError, "every is 0; expected 1 or more"),
    ],
)
def test_configs_that_make_no_sense(config: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        VisualiseConfig(**config)  # type: ignore[arg-type]
