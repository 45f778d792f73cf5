"""Augmented tracking in use: its states in files and under a budget, in whole videos, in projects."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from networks import frames, lively_model, mask_of, same_state, small_config, tensors_of
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import limpet
from limpet.core.errors import ModelError
from limpet.core.masks import read_mask
from limpet.state import TrackerState
from limpet.tracking.augmented_tracker import Augmentation, AugmentedTracker
from limpet.tracking.load import DEFAULT_MODEL
from limpet.tracking.memory_policies import Bounded, MemoryPolicy, Official
from limpet.tracking.tracker import Tracker

Frame = NDArray[np.uint8]
HEIGHT, WIDTH = 33, 49
FLIP = Augmentation(flip=True)
ALL = Augmentation(flip=True, scales=(1.0, 1.5))


def augmented(
    augmentation: Augmentation, memory: MemoryPolicy | None = None, layers: int = 1
) -> AugmentedTracker:
    model = lively_model(small_config(layers))
    return AugmentedTracker(model, augmentation=augmentation, precision="fp32", memory=memory)


def given(*ids: int) -> Frame:
    return mask_of(*ids, height=HEIGHT, width=WIDTH)


def pictures(count: int) -> list[Frame]:
    return frames(count, HEIGHT, WIDTH)


def follow(tracker: Tracker, images: list[Frame], state: TrackerState) -> tuple[list[Frame], TrackerState]:
    masks = []
    for image in images:
        mask, state = tracker.step(image, state)
        masks.append(mask)
    return masks, state


def same_augmented(one: TrackerState, other: TrackerState) -> bool:
    return (
        same_state(one, other)
        and [view.mirrored for view in one.views] == [view.mirrored for view in other.views]
        and all(same_state(a, b) for a, b in zip(one.views, other.views, strict=True))
    )


def storages(state: TrackerState) -> dict[int, int]:
    """Bytes of the memory blocks that a state lies in, by their addresses."""
    tensors: list[Tensor] = [state.mask, *(t for view in state.views for t in tensors_of(view))]
    return {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}


@pytest.mark.parametrize("objects", [2, 12])
def test_saved_moved_and_cloned_states_go_on_alike(tmp_path: Path, objects: int) -> None:
    follower, images = augmented(ALL, Official(gap=2)), pictures(6)
    _, state = follow(follower, images[1:4], follower.start(images[0], given(*range(1, objects + 1))))
    state.save(tmp_path / "state")
    copies = [TrackerState.load(tmp_path / "state"), state.clone(), state.to("cpu")]
    masks, last = follow(follower, images[4:], state)
    assert len(np.unique(masks)) > 2, "an empty mask would prove little"
    for copy in copies:
        assert same_augmented(copy, state)
        assert copy.nbytes == state.nbytes
        again, onward = follow(follower, images[4:], copy)
        assert np.array_equal(masks, again) and same_augmented(onward, last)
    assert not storages(copies[1]).keys() & storages(state).keys()


def test_bytes_are_those_of_all_views() -> None:
    state = augmented(FLIP).start(pictures(1)[0], given(7))
    plain = Tracker(lively_model(), precision="fp32").start(pictures(1)[0], given(7))
    assert state.nbytes == 2 * plain.nbytes + HEIGHT * WIDTH
    assert sum(storages(state).values()) < state.nbytes, "long and short memory are one thing at first"


def test_old_states_stay_as_they_were() -> None:
    follower, images = augmented(FLIP, Official(gap=1)), pictures(5)
    _, state = follow(follower, images[1:3], follower.start(images[0], given(7, 200)))
    before = state.clone()
    mask, onward = follower.step(images[3], state)
    kept = mask.copy()
    mask[:] = 99
    follower.add(images[2], given(9, 200), state)
    follow(follower, images[3:], onward)
    assert same_augmented(state, before)
    again, onward_again = follower.step(images[3], state)
    assert np.array_equal(kept, again) and same_augmented(onward, onward_again)


@pytest.mark.parametrize("objects", [2, 12])
def test_one_budget_for_all_views(objects: int) -> None:
    images, mask = pictures(10), given(*range(1, objects + 1))
    model = lively_model()

    def tracker(max_bytes: int) -> AugmentedTracker:
        memory = Bounded(gap=1, max_bytes=max_bytes)
        return AugmentedTracker(model, augmentation=ALL, precision="fp32", memory=memory)

    with pytest.raises(ModelError, match=f"of {objects} objects at this size") as error:
        tracker(1000).start(images[0], mask)
    smallest = float(re.search(r"smallest that works is ([0-9.]+) MB$", str(error.value))[1])  # type: ignore[index]
    with pytest.raises(ModelError, match="smallest that works"):
        tracker(round((smallest - 0.01) * 1e6)).start(images[0], mask)
    budget = round(2.2 * smallest * 1e6)
    follower = tracker(budget)
    state = follower.start(images[0], mask)
    for image in images[1:]:
        _, state = follower.step(image, state)
        assert state.nbytes <= budget
    assert sum(storages(state).values()) <= budget, "not only by its own account"
    groups = [group for view in state.views for group in view.groups]
    largest = max(sum(t.nbytes for layer in group.short_term for t in layer) for group in groups)
    assert state.nbytes > budget - largest, "no frame less than fits"
    counts = [len(group.frames) for group in groups]
    assert max(counts) - min(counts) <= 1, "and every view has its share"
    assert min(counts) > 1


def test_load_makes_it_and_reports_name_it() -> None:
    follower = limpet.load(flip=True, scales=[1, 1.3], max_size=64)
    assert isinstance(follower, AugmentedTracker)
    assert follower.augmentation == Augmentation(True, (1.0, 1.3))
    assert follower.name == f"{DEFAULT_MODEL} (flip, scales 1 1.3)"
    plain = limpet.load()
    assert type(plain) is Tracker and plain.name == DEFAULT_MODEL


def test_a_whole_video_has_the_masks_of_its_steps(tmp_path: Path) -> None:
    images, late, follower = pictures(4), given(9), augmented(FLIP)
    state, expected = follower.start(images[0], given(7, 200)), [given(7, 200)]
    for number, image in enumerate(images[1:], start=1):
        mask, state = follower.step(image, state)
        if number == 2:
            state = follower.add(image, late, state)
            mask = state.mask.numpy()
        expected.append(mask)
    result = limpet.track(
        clip_of(tmp_path, images),
        expected[0],
        tmp_path / "out",
        tracker=follower,
        add={2: late},
        overlay=False,
    )
    assert result.object_ids == (7, 200, 9)
    written = [
        read_mask(path, (HEIGHT, WIDTH)) for path in sorted((tmp_path / "out" / "masks").glob("*.png"))
    ]
    assert np.array_equal(written, expected)


def test_a_project_is_corrected_and_undone(tmp_path: Path) -> None:
    images, follower = pictures(4), augmented(FLIP)
    masks, _ = follow(follower, images[1:], follower.start(images[0], given(7, 200)))
    project = limpet.Project.create(tmp_path / "job", clip_of(tmp_path, images))
    project.add(0, given(7, 200))
    project.propagate(follower)
    assert np.array_equal([project.mask(number) for number in range(1, 4)], masks)
    erased = np.where(masks[1] == 200, 0, masks[1]).astype(np.uint8)
    assert (erased == 7).any()
    project.correct(2, erased)
    project.propagate(follower)
    assert np.array_equal(project.mask(2), erased)
    project.undo()
    project.undo()
    assert np.array_equal([project.mask(number) for number in range(1, 4)], masks)


def clip_of(folder: Path, images: list[Frame]) -> Path:
    """The images as a folder of pictures."""
    (folder / "clip").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / "clip" / f"{number}.png")
    return folder / "clip"
