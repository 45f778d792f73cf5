"""States in files and copies: nothing is lost, nothing is shared, and damage is named."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import frames, lively_model, mask_of, same_state, small_config, small_tracker, tensors_of
from safetensors.torch import save_file

from limpet.core.errors import LimpetError, OutputError
from limpet.memory import LayerMemory, Memory
from limpet.state import FORMAT, GroupState, StoredFrame, TrackerState
from limpet.tracking.tracker import Tracker


def made_state(ids: tuple[int, ...] = (7, 200), dtype: torch.dtype = torch.float32) -> TrackerState:
    """A state of two layers with made-up numbers; no network is needed."""
    short, long = (
        Memory(
            tuple(LayerMemory(torch.randn(1, m, 4).to(dtype), torch.randn(1, m, 8).to(dtype)) for m in sizes),
            t,
        )
        for t, sizes in ((1, (3, 2)), (2, (6, 4)))
    )
    frames = (StoredFrame(3, (), 0.1, (1 / 3, -2e-30)), StoredFrame(0, (ids[0],), 1.0, (0.5, 7.0)))
    groups = tuple(GroupState((i,), long, short, 3, frames) for i in ids)
    confidence = dict.fromkeys(ids, 0.1)  # 0.1 has no finite binary form: its text must be exact all the same
    return TrackerState(groups, 5, torch.randint(0, 255, (9, 13), dtype=torch.uint8), (17, 33), confidence)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_file_gives_back_every_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    state = made_state(dtype=dtype)
    state.save(tmp_path / "state.safetensors")
    loaded = TrackerState.load(tmp_path / "state.safetensors")
    assert same_state(loaded, state)
    assert loaded.network_size == (17, 33) and isinstance(loaded.network_size, tuple)
    assert all(isinstance(group.object_ids, tuple) for group in loaded.groups)
    assert list(tmp_path.iterdir()) == [tmp_path / "state.safetensors"], "no temporary file is left"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_saved_video_goes_on_as_if_nothing_had_happened(tmp_path: Path, precision: str) -> None:
    images = frames(6)
    model = lively_model(small_config(layers=2, gap=2))
    tracker = Tracker(model, precision=precision)  # type: ignore[arg-type]
    state = tracker.start(images[0], mask_of(*range(1, 13)))
    for image in images[1:4]:
        _, state = tracker.step(image, state)
    state.save(tmp_path / "state")
    resumed = TrackerState.load(tmp_path / "state")
    for image in images[4:]:
        mask, state = tracker.step(image, state)
        again, resumed = tracker.step(image, resumed)
        assert np.array_equal(mask, again)
        assert len(np.unique(mask)) > 1, "an empty mask would prove little"
    assert same_state(state, resumed)


def test_a_clone_shares_no_memory() -> None:
    tracker, images = small_tracker(), frames(2)
    _, state = tracker.step(images[1], tracker.start(images[0], mask_of(7)))
    copy, untouched = state.clone(), state.clone()
    assert same_state(state, copy)
    places = {tensor.untyped_storage().data_ptr() for tensor in tensors_of(state)}
    assert not places & {tensor.untyped_storage().data_ptr() for tensor in tensors_of(copy)}
    for tensor in tensors_of(copy):
        tensor.zero_()
    copy.confidence[7] = -1.0
    assert same_state(state, untouched)


def test_a_state_goes_to_another_device() -> None:
    state = made_state()
    moved = state.to("meta")
    assert all(tensor.is_meta for tensor in tensors_of(moved))
    assert moved.object_ids == state.object_ids and moved.confidence == state.confidence
    assert same_state(state.to("cpu"), state)


def test_facts_of_a_state() -> None:
    state = made_state((7, 200, 3))
    assert state.object_ids == (7, 200, 3)
    assert state.frame_size == (9, 13)
    one_group = (3 + 2 + 6 + 4) * (4 + 8) * 4  # tokens x (keys + values) x bytes
    assert state.nbytes == 9 * 13 + 3 * one_group


def test_a_state_cannot_be_written_to(tmp_path: Path) -> None:
    state = made_state()
    with pytest.raises(AttributeError):
        state.frame_index = 7  # type: ignore[misc]
    with pytest.raises(
        OutputError, match=r"cannot write .*missing.*: the folder does not exist; create it first"
    ):
        state.save(tmp_path / "missing" / "state")


def test_a_file_is_replaced_only_by_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, first = tmp_path / "state", made_state()
    first.save(path)

    def full(target: Path, data: bytes) -> None:
        with target.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="no space left on the disk"):
        made_state().save(path)
    assert same_state(TrackerState.load(path), first)
    assert list(tmp_path.iterdir()) == [path]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with pytest.raises(LimpetError, match=r"state is not a whole tracker state .*; start the tracking again"):
        TrackerState.load(path)
    made_state().save(path)
    whole = path.read_bytes()
    for cut in (0, 4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(LimpetError, match="state is not a whole tracker state"):
            TrackerState.load(path)


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    message = rf"state is not a tracker state of this version \({FORMAT}\)"
    save_file({"mask": torch.zeros(2, 2)}, path)
    with pytest.raises(LimpetError, match=message):
        TrackerState.load(path)
    save_file({"mask": torch.zeros(2, 2)}, path, metadata={"format": "limpet-state-0"})
    with pytest.raises(LimpetError, match=message):
        TrackerState.load(path)
    path.write_text("not a tensor in sight")
    with pytest.raises(LimpetError, match="not a whole tracker state"):
        TrackerState.load(path)


def test_a_state_whose_tensors_are_gone_is_damaged(tmp_path: Path) -> None:
    """A header that says more than the file holds must not end in a KeyError."""
    path = tmp_path / "state"
    facts = '{"frame_index": 0, "network_size": [17, 17], "confidence": {}, "layers": 1, "groups": []}'
    save_file({"other": torch.zeros(1)}, path, metadata={"format": FORMAT, "facts": facts})
    with pytest.raises(LimpetError, match="not a whole tracker state"):
        TrackerState.load(path)
