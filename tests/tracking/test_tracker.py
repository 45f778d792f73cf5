"""The tracker on small random networks: what a state holds, what a step changes, and what it must not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from networks import frames, lively_model, mask_of, same_state, small_tracker, tensors_of, tokens_of
from numpy.typing import NDArray

from limpet.core.calibration import Calibration
from limpet.core.errors import MaskError, ModelError, VideoError
from limpet.state import TrackerState
from limpet.tracking.tracker import Tracker

Frame = NDArray[np.uint8]
TOKENS = tokens_of()


def follow(
    tracker: Tracker, images: Sequence[Frame], state: TrackerState
) -> tuple[list[Frame], TrackerState]:
    """Step through ``images``; copies of all masks, and the last state."""
    masks = []
    for image in images:
        mask, state = tracker.step(image, state)
        masks.append(mask.copy())
    return masks, state


def long_tokens(state: TrackerState) -> list[int]:
    """Tokens of long-term memory of each group."""
    return [group.long_term[0].key.shape[1] for group in state.groups]


def newest(state: TrackerState, group: int = 0) -> list[torch.Tensor]:
    """The tensors of the frame that entered the long-term memory last."""
    return [tensor[:, :TOKENS] for layer in state.groups[group].long_term for tensor in layer]


def equal(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_masks_carry_the_users_ids_at_the_size_of_the_frame() -> None:
    tracker, images = small_tracker(), frames(4)
    masks, state = follow(tracker, images[1:], tracker.start(images[0], mask_of(7, 200)))
    assert all(mask.shape == (65, 97) and mask.dtype == np.uint8 for mask in masks)
    assert {int(i) for mask in masks for i in np.unique(mask)} == {0, 7, 200}
    assert state.object_ids == (7, 200)
    assert state.frame_index == 3
    assert np.array_equal(state.mask.numpy(), masks[-1])


def test_confidence_is_a_probability_for_every_object() -> None:
    tracker, images = small_tracker(), frames(2)
    state = tracker.start(images[0], mask_of(7, 200))
    assert state.confidence == {7: 1.0, 200: 1.0}, "given masks are certain"
    mask, state = tracker.step(images[1], state)
    assert set(state.confidence) == {7, 200}
    for object_id, value in state.confidence.items():
        assert 0 < value <= 1 if (mask == object_id).any() else value == 0


def test_a_calibration_changes_confidences_and_no_mask() -> None:
    raw, images = small_tracker(), frames(2)
    calibration = Calibration(slope=2.0, offset=-1.0)
    calibrated = Tracker(raw.model, precision="fp32", calibration=calibration)
    (mask, before), (same, after) = (
        t.step(images[1], t.start(images[0], mask_of(7))) for t in (raw, calibrated)
    )
    assert np.array_equal(mask, same)
    assert after.confidence == {7: calibration(before.confidence[7])} != before.confidence


def test_twelve_objects_share_one_pass_of_the_encoder() -> None:
    tracker, images = small_tracker(), frames(3)
    calls: list[int] = []
    tracker.model.encoder.register_forward_hook(lambda *_: calls.append(1))
    state = tracker.start(images[0], mask_of(*range(1, 13)))
    assert [group.object_ids for group in state.groups] == [tuple(range(1, 11)), (11, 12)]
    assert len(calls) == 1
    masks, state = follow(tracker, images[1:], state)
    assert len(calls) == 3
    tracker.add(images[2], mask_of(99), state)
    assert len(calls) == 4
    seen = {int(i) for mask in masks for i in np.unique(mask)}
    assert seen & set(range(1, 11)) and seen & {11, 12}, "both groups must be able to win"
    assert seen <= set(range(13))


def test_a_later_id_takes_the_next_slot_and_leaves_the_others() -> None:
    tracker, images = small_tracker(), frames(4)
    _, state = follow(tracker, images[1:3], tracker.start(images[0], mask_of(7, 200)))
    new = np.zeros((65, 97), np.uint8)
    new[50:, 60:] = 3
    after = tracker.add(images[2], new, state)
    assert after.object_ids == (7, 200, 3), "slots keep their order although 3 is the smallest id"
    assert after.frame_index == state.frame_index
    assert after.confidence == state.confidence | {3: 1.0}
    expected = np.where(new == 3, 3, state.mask.numpy())
    assert np.array_equal(after.mask.numpy(), expected), "background in the new mask keeps the prediction"
    mask, stepped = tracker.step(images[3], after)
    assert set(np.unique(mask)) <= {0, 3, 7, 200}
    assert set(stepped.confidence) == {3, 7, 200}


def test_an_added_frame_is_a_reference_like_a_first_one() -> None:
    tracker, images = small_tracker(layers=2), frames(3)
    _, state = follow(tracker, images[1:], tracker.start(images[0], mask_of(7, 200)))
    new = np.zeros((65, 97), np.uint8)
    new[40:, 50:] = 250
    after = tracker.add(images[2], new, state)
    fresh = tracker.start(images[2], after.mask.numpy())
    assert fresh.object_ids == after.object_ids
    assert equal(newest(after), newest(fresh)), "the memory is that of the merged mask"
    before = [tensor for layer in state.groups[0].long_term for tensor in layer]
    older = [tensor[:, TOKENS:] for layer in after.groups[0].long_term for tensor in layer]
    assert equal(older, before), "what was known stays"
    assert equal(after.groups[0].short_term[0], fresh.groups[0].short_term[0])


def test_a_correction_replaces_the_prediction_of_that_object_only() -> None:
    tracker, images = small_tracker(), frames(3)
    _, state = follow(tracker, images[1:], tracker.start(images[0], mask_of(7, 30, 200)))
    predicted = state.mask.numpy().copy()
    correction = np.zeros((65, 97), np.uint8)
    correction[10:20, 10:20] = 200
    after = tracker.add(images[2], correction, state)
    expected = np.where(predicted == 200, 0, predicted)
    expected[correction == 200] = 200
    assert (predicted == 200).any(), "else nothing is corrected"
    assert np.array_equal(after.mask.numpy(), expected)
    assert after.object_ids == (7, 30, 200)
    assert after.confidence[200] == 1.0 and after.confidence[7] == state.confidence[7]


def test_adding_to_one_group_leaves_the_other_alone() -> None:
    tracker, images = small_tracker(), frames(2)
    _, state = follow(tracker, images[1:], tracker.start(images[0], mask_of(*range(1, 13))))
    free = np.flatnonzero(~np.isin(state.mask.numpy(), range(1, 11)))[:40]
    mask = np.zeros((65, 97), np.uint8)
    mask.flat[free] = 50
    after = tracker.add(images[1], mask, state)
    assert after.groups[0] is state.groups[0]
    assert after.groups[1].object_ids == (11, 12, 50)
    assert long_tokens(after) == [TOKENS, 2 * TOKENS]


def test_a_group_that_loses_pixels_to_another_remembers_its_new_masks() -> None:
    tracker, images = small_tracker(), frames(2)
    _, state = follow(tracker, images[1:], tracker.start(images[0], mask_of(*range(1, 13))))
    mask = np.where(np.isin(state.mask.numpy(), range(1, 11)), 50, 0).astype(np.uint8)
    assert mask.any(), "else the first group loses nothing"
    after = tracker.add(images[1], mask, state)
    assert after.groups[0].long_term is state.groups[0].long_term, "no object of it was given: no reference"
    assert not torch.equal(after.groups[0].short_term[0].value, state.groups[0].short_term[0].value)
    assert long_tokens(after) == [TOKENS, 2 * TOKENS]


def test_a_state_of_another_model_or_precision_is_refused() -> None:
    tracker, images = small_tracker(), frames(2)
    state = tracker.start(images[0], mask_of(7))
    exact = Tracker(tracker.model, precision="bf16")
    with pytest.raises(ModelError, match=r"in torch.float32 on cpu, but the tracker has 1 in torch.bfloat16"):
        exact.step(images[1], state)


def test_ids_beyond_the_free_slots_open_a_new_group() -> None:
    tracker, images = small_tracker(), frames(3)
    _, state = follow(tracker, images[1:2], tracker.start(images[0], mask_of(*range(1, 10))))
    after = tracker.add(images[1], mask_of(100, 101, 102), state)
    assert [group.object_ids for group in after.groups] == [(*range(1, 10), 100), (101, 102)]
    assert long_tokens(after) == [2 * TOKENS, TOKENS], "the new group knows this frame alone"
    mask, stepped = tracker.step(images[2], after)
    assert set(stepped.confidence) == {*range(1, 10), 100, 101, 102}
    assert set(np.unique(mask)) <= {0, *stepped.confidence}


def test_without_a_gap_only_references_enter_the_long_term_memory() -> None:
    tracker, images = small_tracker(), frames(9)
    state = tracker.start(images[0], mask_of(7))
    sizes, bytes_held = [long_tokens(state)], []
    for index, image in enumerate(images[1:], start=1):
        _, state = tracker.step(image, state)
        bytes_held.append(state.nbytes)
        if index == 6:
            state = tracker.add(image, mask_of(8), state)
        sizes.append(long_tokens(state))
    assert sizes == [[TOKENS]] * 6 + [[2 * TOKENS]] * 3
    assert len(set(bytes_held[:6])) == 1, "memory is constant between references"
    assert len(set(bytes_held[6:])) == 1


def test_with_a_gap_of_five_every_fifth_frame_enters() -> None:
    tracker, images = small_tracker(gap=5), frames(12)
    state = tracker.start(images[0], mask_of(7))
    sizes, stored = [], []
    for image in images[1:]:
        _, state = tracker.step(image, state)
        sizes.append(long_tokens(state)[0] // TOKENS)
        stored.append(state.groups[0].last_stored)
    assert sizes == [1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3]
    assert stored == [0, 0, 0, 0, 5, 5, 5, 5, 5, 10, 10]
    _, earlier = follow(tracker, images[1:6], tracker.start(images[0], mask_of(7)))
    assert equal(newest(earlier), [t for layer in earlier.groups[0].short_term for t in layer]), (
        "the frame that was just stored is in front"
    )


def test_the_gap_counts_from_the_last_reference() -> None:
    tracker, images = small_tracker(gap=5), frames(9)
    _, state = follow(tracker, images[1:4], tracker.start(images[0], mask_of(7)))
    state = tracker.add(images[3], mask_of(8), state)
    sizes = []
    for image in images[4:]:
        _, state = tracker.step(image, state)
        sizes.append(long_tokens(state)[0] // TOKENS)
    assert sizes == [2, 2, 2, 2, 3], "frame 8 is five after frame 3"


@pytest.mark.parametrize("steps", [0, 5], ids=["start", "stored by the gap"])
def test_a_frame_is_not_stored_twice(steps: int) -> None:
    tracker, images = small_tracker(gap=5), frames(6)
    _, state = follow(tracker, images[1 : steps + 1], tracker.start(images[0], mask_of(7)))
    assert state.groups[0].last_stored == steps
    once = tracker.add(images[steps], mask_of(7, 250), state)
    twice = tracker.add(images[steps], mask_of(7, 250, 251), once)
    assert long_tokens(state) == long_tokens(once) == long_tokens(twice)
    fresh = tracker.start(images[steps], twice.mask.numpy())
    assert equal(newest(twice), newest(fresh)), "the masks given last are those that are remembered"


def test_old_states_do_not_change_so_that_keeping_one_is_undo() -> None:
    tracker, images = small_tracker(gap=2), frames(5)
    _, state = follow(tracker, images[1:3], tracker.start(images[0], mask_of(7, 200)))
    before = state.clone()
    mask, onward = tracker.step(images[3], state)
    first = mask.copy()
    tracker.add(images[2], mask_of(9, 200), state)
    follow(tracker, images[3:], onward)
    assert same_state(state, before)
    again, onward_again = tracker.step(images[3], state)
    assert np.array_equal(first, again)
    assert same_state(onward, onward_again)


def test_the_same_video_gives_the_same_bytes() -> None:
    images = frames(4)
    runs = []
    for _ in range(2):
        tracker = small_tracker(layers=2, gap=2)
        runs.append(follow(tracker, images[1:], tracker.start(images[0], mask_of(7, 200))))
    assert np.array_equal(runs[0][0], runs[1][0])
    assert same_state(runs[0][1], runs[1][1])


def test_two_videos_with_one_tracker_do_not_mix() -> None:
    tracker, one, other = small_tracker(), frames(4, seed=1), frames(4, 49, 81, seed=2)
    mask_one, mask_other = mask_of(7, 200), mask_of(5, height=49, width=81)
    apart = [
        follow(tracker, v[1:], tracker.start(v[0], m)) for v, m in ((one, mask_one), (other, mask_other))
    ]
    states = [tracker.start(one[0], mask_one), tracker.start(other[0], mask_other)]
    mixed: list[list[Frame]] = [[], []]
    for pair in zip(one[1:], other[1:], strict=True):
        for video, image in enumerate(pair):
            mask, states[video] = tracker.step(image, states[video])
            mixed[video].append(mask.copy())
    for video in (0, 1):
        assert np.array_equal(mixed[video], apart[video][0])
        assert same_state(states[video], apart[video][1])


def test_what_is_given_is_neither_changed_nor_kept() -> None:
    tracker, images, mask = small_tracker(), frames(2), mask_of(7)
    copies = [image.copy() for image in images]
    state = tracker.start(images[0], mask)
    before = state.clone()
    tracker.step(images[1], state)
    assert np.array_equal(images, copies) and np.array_equal(mask, mask_of(7))
    mask[:], images[0][:] = 0, 0
    assert same_state(state, before)


@pytest.mark.parametrize(
    ("height", "width"), [(37, 53), (61, 100), (130, 67), (16, 200), (1, 3)], ids=lambda side: str(side)
)
def test_any_size_and_shape(height: int, width: int) -> None:
    tracker, images = small_tracker(), frames(2, height, width)
    state = tracker.start(images[0], mask_of(7, height=height, width=width))
    mask, state = tracker.step(images[1], state)
    assert mask.shape == state.frame_size == (height, width)
    assert set(np.unique(mask)) <= {0, 7}
    assert all(side % 16 == 1 for side in state.network_size)
    assert long_tokens(state) == [tokens_of(*state.network_size)]


def test_a_large_frame_goes_through_a_small_network_and_comes_back_at_full_size() -> None:
    tracker, images = small_tracker(max_size=64), frames(2, 2160, 3840)
    state = tracker.start(images[0], mask_of(7, 200, height=2160, width=3840))
    mask, state = tracker.step(images[1], state)
    assert mask.shape == (2160, 3840)
    assert state.network_size == (65, 113)
    assert set(np.unique(mask)) <= {0, 7, 200} and len(np.unique(mask)) > 1


def test_bf16_states_are_half_as_large() -> None:
    model, images = lively_model(), frames(2)
    states = {}
    for precision in ("fp32", "bf16"):
        tracker = Tracker(model, precision=precision)  # type: ignore[arg-type]
        mask, states[precision] = tracker.step(images[1], tracker.start(images[0], mask_of(7)))
        assert set(np.unique(mask)) <= {0, 7}
    memory = {name: state.nbytes - state.mask.numel() for name, state in states.items()}
    assert memory["fp32"] == 2 * memory["bf16"]
    assert all(t.dtype == torch.bfloat16 for t in tensors_of(states["bf16"])[1:])


GOOD = frames(1)[0]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (GOOD.astype(np.float32), r"a frame is float32 \(65, 97, 3\); expected a numpy array uint8"),
        (GOOD[..., 0], r"a frame is uint8 \(65, 97\); expected .* \(height, width, 3\) in RGB order"),
        (np.concatenate([GOOD, GOOD[..., :1]], axis=2), r"a frame is uint8 \(65, 97, 4\)"),
        (torch.from_numpy(GOOD), "a frame is Tensor; expected a numpy array"),
    ],
    ids=["float", "grey", "alpha", "tensor"],
)
def test_frames_of_another_kind_are_refused(frame: object, message: str) -> None:
    tracker = small_tracker()
    state = tracker.start(GOOD, mask_of(7))
    with pytest.raises(VideoError, match=message):
        tracker.start(frame, mask_of(7))  # type: ignore[arg-type]
    with pytest.raises(VideoError, match=message):
        tracker.step(frame, state)  # type: ignore[arg-type]
    with pytest.raises(VideoError, match=message):
        tracker.add(frame, mask_of(8), state)  # type: ignore[arg-type]


def test_frames_of_another_size_than_the_first_are_refused() -> None:
    tracker = small_tracker()
    state = tracker.start(GOOD, mask_of(7))
    smaller = frames(1, 64, 97)[0]
    message = "the frame is 64x97 but the first was 65x97; start again from a frame of the new size"
    with pytest.raises(VideoError, match=message):
        tracker.step(smaller, state)
    with pytest.raises(VideoError, match=message):
        tracker.add(smaller, mask_of(8, height=64), state)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (mask_of(7).astype(np.int64), "a mask is int64"),
        (mask_of(7, height=64), "mask is 64x97 but the frame is 65x97"),
        (np.zeros((65, 97), np.uint8), "the mask holds no object"),
    ],
    ids=["dtype", "size", "empty"],
)
def test_masks_that_do_not_fit_are_refused(mask: Frame, message: str) -> None:
    tracker = small_tracker()
    state = tracker.start(GOOD, mask_of(7))
    with pytest.raises(MaskError, match=message):
        tracker.start(GOOD, mask)
    with pytest.raises(MaskError, match=message):
        tracker.add(GOOD, mask, state)


def test_changing_a_returned_mask_does_not_change_the_state() -> None:
    tracker, images = small_tracker(), frames(2)
    mask, state = tracker.step(images[1], tracker.start(images[0], mask_of(7)))
    before = state.clone()
    mask[:] = 99
    assert same_state(state, before)


def test_a_state_holds_no_more_memory_than_it_says() -> None:
    tracker, images = small_tracker(), frames(2)
    _, state = tracker.step(images[1], tracker.start(images[0], mask_of(7)))
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors_of(state)}
    assert sum(storages.values()) == state.nbytes


@pytest.mark.filterwarnings("error")
def test_views_and_read_only_arrays_are_welcome() -> None:
    tracker, images, mask = small_tracker(), frames(2), mask_of(7, 200)
    expected, _ = tracker.step(images[1], tracker.start(images[0], mask))
    mirrored = [np.ascontiguousarray(array[:, ::-1])[:, ::-1] for array in (*images, mask)]
    for array in mirrored:
        array.flags.writeable = False
    state = tracker.start(mirrored[0], mirrored[2])
    found, state = tracker.step(mirrored[1], state)
    assert np.array_equal(found, expected)
    tracker.add(mirrored[1], mirrored[2], state)
