"""States on the disk: whole, exact, and no more bytes written than needed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from networks import frames, lively_model, mask_of, same_state, small_config, small_tracker

from limpet.core.errors import OutputError
from limpet.results.journal import Journal
from limpet.state import TrackerState
from limpet.tracking.augmented_tracker import Augmentation, AugmentedTracker
from limpet.tracking.state_checkpoints import Checkpoints, latest
from limpet.tracking.tracker import Tracker


def states_of(tracker: Tracker, count: int, *ids: int) -> list[TrackerState]:
    first, *rest = frames(count)
    states = [tracker.start(first, mask_of(*ids))]
    for frame in rest:
        states.append(tracker.step(frame, states[-1])[1])
    return states


class Clock:
    """Stands still unless told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def saver(folder: Path) -> tuple[Checkpoints, Clock]:
    return Checkpoints(folder, Journal(folder / "journal"), clock := Clock(), clock), clock


def save(folder: Path, states: list[TrackerState]) -> None:
    checkpoints, _ = saver(folder)
    for index, state in enumerate(states):
        checkpoints.offer(index, state)
        checkpoints.flush()


def found(folder: Path) -> tuple[int, TrackerState]:
    point = latest(folder, Journal(folder / "journal").read())
    assert point is not None
    return point[0].facts["index"], point[1]


@pytest.mark.parametrize("ids", [(7, 200), tuple(range(1, 13))], ids=["a group", "two groups"])
def test_a_growing_memory_comes_back_bit_by_bit(tmp_path: Path, ids: tuple[int, ...]) -> None:
    states = states_of(small_tracker(layers=2, gap=2), 6, *ids)
    save(tmp_path, states)
    index, state = found(tmp_path)
    assert index == 5 and same_state(state, states[5])
    tensors = state._tensors().values()
    assert all(t.data_ptr() % 64 == 0 for t in tensors), "aligned as torch's own are: some kernels mind"


def test_views_of_an_augmented_tracker(tmp_path: Path) -> None:
    tracker = AugmentedTracker(
        lively_model(small_config(gap=2)), precision="fp32", augmentation=Augmentation(flip=True)
    )
    states = states_of(tracker, 4, 7)
    save(tmp_path, states)
    _, state = found(tmp_path)
    assert len(state.views) == 2 and state.views[1].mirrored
    assert all(same_state(one, other) for one, other in zip(state.views, states[3].views, strict=True))
    picture = frames(5)[4]
    (ours, _), (theirs, _) = tracker.step(picture, state), tracker.step(picture, states[3])
    assert (ours == theirs).all()


def test_a_frame_in_memory_is_written_once_and_only_what_is_needed_stays(tmp_path: Path) -> None:
    states = states_of(small_tracker(gap=2), 6, 7)
    checkpoints, _ = saver(tmp_path)
    earlier: dict[str, int] = {}
    for index, state in enumerate(states[:5]):
        checkpoints.offer(index, state)
        checkpoints.flush()
        written = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("memory-*")}
        assert written.items() >= earlier.items()
        earlier = written
    assert sorted(path.name for path in tmp_path.glob("*.safetensors")) == [
        *(f"memory-0-0000{index}.safetensors" for index in (0, 2, 4)),
        *(f"state-0000{index}.safetensors" for index in (3, 4)),
    ]
    alone = (tmp_path / "state-00004.safetensors").stat().st_size
    assert alone < 0.6 * states[4].nbytes, "the long-term memory is elsewhere"


def test_a_state_about_twice_a_second(tmp_path: Path) -> None:
    checkpoints, clock = saver(tmp_path)
    (state,) = states_of(small_tracker(), 1, 7)
    saved = []
    for tick in range(20):
        clock.now = tick / 10
        checkpoints.offer(tick, state)
        saved += [tick] if checkpoints._waiting is None else []
    assert saved == [5, 10, 15]
    checkpoints.flush()
    assert found(tmp_path)[0] == 19, "at the end nothing is left out"


def test_large_states_are_written_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints, clock = saver(tmp_path)
    (state,) = states_of(small_tracker(), 1, 7)
    original = TrackerState.save

    def slow(state: TrackerState, path: Path) -> None:
        clock.now += 0.2
        original(state, path)

    monkeypatch.setattr(TrackerState, "save", slow)
    saved = []
    for tick in range(200):
        clock.now += 0.1
        checkpoints.offer(tick, state)
        saved += [tick] if checkpoints._waiting is None else []
    gaps = [after - before for before, after in pairwise(saved)]
    assert gaps and set(gaps) <= {39, 40, 41}, "0.2 s in every 4"


def test_a_state_counts_once_the_journal_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = states_of(small_tracker(), 3, 7)
    save(tmp_path, states[:2])
    assert latest(tmp_path, []) is None

    def full(*_: object) -> None:
        raise OutputError("no space left")

    monkeypatch.setattr(Journal, "append", full)
    with pytest.raises(OutputError):
        save(tmp_path, states[2:])
    assert found(tmp_path)[0] == 1
