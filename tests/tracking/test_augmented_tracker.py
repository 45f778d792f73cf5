"""Augmented tracking: equal to the reference, to trackers that run side by side, and usable wherever a tracker is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from forced import NEAR_TIES, golden_model
from golden import ATOL, arrays, clip, golden_folder
from networks import HEIGHT, WIDTH, frames, lively_model, mask_of, same_state, small_config
from numpy.typing import NDArray
from torch import Tensor

import limpet
from limpet.core.errors import MaskError, ModelError, VideoError
from limpet.state import TrackerState
from limpet.tracking import augmented_tracker as augment
from limpet.tracking import tracker
from limpet.tracking.augmented_tracker import Augmentation, AugmentedTracker
from limpet.tracking.memory_policies import MemoryPolicy, Official
from limpet.tracking.processing import label_map, probabilities
from limpet.tracking.tracker import Tracker

Frame = NDArray[np.uint8]
FLIP = Augmentation(flip=True)
ALL = Augmentation(flip=True, scales=(1.0, 1.5))


def augmented(
    augmentation: Augmentation, memory: MemoryPolicy | None = None, layers: int = 1
) -> AugmentedTracker:
    model = lively_model(small_config(layers))
    return AugmentedTracker(model, augmentation=augmentation, precision="fp32", memory=memory)


def mirrored(array: Frame) -> Frame:
    return np.ascontiguousarray(array[:, ::-1])


def follow(
    tracker: Tracker, images: Sequence[Frame], state: TrackerState
) -> tuple[list[Frame], TrackerState]:
    masks = []
    for image in images:
        mask, state = tracker.step(image, state)
        masks.append(mask)
    return masks, state


def newest(state: TrackerState) -> list[Tensor]:
    """Keys and values of the frame that entered the long-term memory last."""
    tokens = state.groups[0].short_term[0].key.shape[1]
    return [tensor[:, :tokens] for group in state.groups for layer in group.long_term for tensor in layer]


def test_the_reference_run_with_flip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each view goes on from the mask that the reference fed it, as no two builds agree on near-ties for ever."""
    folder = golden_folder() / "deaott"
    stored, source = arrays(folder, "out_flip"), clip("clip_a_129x225_3obj")
    fed = [torch.from_numpy(mask) for pair in stored["mask_fed"] for mask in (pair[0], mirrored(pair[1]))]
    own, planes, given = [], [], iter(fed)

    def forced(*arguments: object) -> Tensor:
        own.append(label_map(*arguments))  # type: ignore[arg-type]
        return next(given)

    def seen(*arguments: object) -> Tensor:
        planes.append(probabilities(*arguments))  # type: ignore[arg-type]
        return planes[-1]

    monkeypatch.setattr(tracker, "label_map", forced)
    monkeypatch.setattr(augment, "probabilities", seen)
    model = golden_model("deaot-t", folder)
    follower = AugmentedTracker(model, augmentation=FLIP, precision="fp32", max_size=None)
    masks, _ = follow(follower, source.frames[1:], follower.start(source.frames[0], source.masks[0]))

    different = sum(int((a != b).sum()) for a, b in zip(own, fed, strict=True))
    assert different <= NEAR_TIES, "each view's own masks"
    assert int((np.stack(masks) != stored["mask"][1:]).sum()) <= NEAR_TIES, "the merged masks"
    merged = [(a + b.flip(-1)) / 2 for a, b in zip(planes[::2], planes[1::2], strict=True)]
    thin = torch.stack(merged)[:, :, ::8, ::8]
    np.testing.assert_allclose(thin, stored["prob_s8"], atol=ATOL, rtol=0)


@pytest.mark.parametrize("augmentation", [FLIP, ALL, Augmentation(scales=(0.5, 1.2))], ids=str)
@pytest.mark.parametrize("objects", [2, 12])
def test_views_are_trackers_side_by_side_and_the_mask_their_mean(
    augmentation: Augmentation, objects: int
) -> None:
    images, ids = frames(4), range(1, objects + 1)
    together = augmented(augmentation, Official(gap=2), layers=2)
    alone = Tracker(together.model, precision="fp32", memory=Official(gap=2))
    state = together.start(images[0], mask_of(*ids))
    apart = []
    for view in augmentation.views:
        alone.sizes = replace(alone.sizes, scale=view.scale)
        turn = mirrored if view.mirrored else np.copy
        apart.append(alone.start(turn(images[0]), turn(mask_of(*ids))))
    for image in images[1:]:
        mask, state = together.step(image, state)
        total = np.zeros((objects + 1, HEIGHT, WIDTH), np.float32)
        for number, view in enumerate(augmentation.views):
            turned = mirrored(image) if view.mirrored else image
            with torch.inference_mode():
                _, scores = alone._follow(turned, apart[number])
            planes = probabilities(scores, (HEIGHT, WIDTH), True).numpy()
            total += planes[..., ::-1] if view.mirrored else planes
            _, apart[number] = alone.step(turned, apart[number])
        assert np.array_equal(mask, total.argmax(axis=0))
        assert len(np.unique(mask)) > 2
    assert [view.mirrored for view in state.views] == [view.mirrored for view in augmentation.views]
    for view, expected in zip(state.views, apart, strict=True):
        assert same_state(view, expected)
    assert len({view.mask.numpy().tobytes() for view in state.views}) > 1, "else nothing is merged"
    for object_id in ids:
        assert state.confidence[object_id] == pytest.approx(
            sum(view.confidence[object_id] for view in state.views) / len(state.views)
        )


def test_one_plain_view_is_a_plain_tracker() -> None:
    images = frames(4)
    one = augmented(Augmentation())
    plain = Tracker(one.model, precision="fp32")
    runs = [follow(t, images[1:], t.start(images[0], mask_of(7, 200))) for t in (one, plain)]
    assert np.array_equal(runs[0][0], runs[1][0])
    assert same_state(runs[0][1].views[0], runs[1][1])
    assert runs[0][1].confidence == runs[1][1].confidence


def test_views_come_scale_by_scale_each_with_its_mirror_image() -> None:
    assert [tuple(view) for view in ALL.views] == [(1.0, False), (1.0, True), (1.5, False), (1.5, True)]
    state = augmented(ALL).start(frames(1)[0], mask_of(7))
    assert [view.network_size for view in state.views] == [(65, 97), (65, 97), (97, 145), (97, 145)]
    assert state.network_size == (65, 97) and state.frame_size == (HEIGHT, WIDTH)
    assert state.object_ids == (7,) and state.frame_index == 0


@pytest.mark.parametrize(
    ("scales", "max_size", "expected"),
    [
        ((1.0,), None, [(577, 1041)]),  # 1040 is the limit of the longer side
        ((1.0, 1.3), None, [(577, 1041), (753, 1345)]),
        ((1.0, 1.3), 480, [(481, 849), (625, 1105)]),
    ],
)
def test_sizes_of_large_frames(
    scales: tuple[float, ...], max_size: int | None, expected: list[tuple[int, int]]
) -> None:
    follower = AugmentedTracker(lively_model(), augmentation=Augmentation(scales=scales), max_size=max_size)
    assert [follower._view_size(scale, (1080, 1920)) for scale in scales] == expected
    square = AugmentedTracker(lively_model(), augmentation=Augmentation(scales=scales), max_size=None)
    assert square._view_size(1.0, (900, 900)) == ((897, 897) if len(scales) == 1 else (625, 625))


@pytest.mark.parametrize("given", [(3,), (200,), (3, 200)], ids=["new", "correction", "both"])
def test_given_masks_teach_every_view_the_same(given: tuple[int, ...]) -> None:
    follower, images = augmented(ALL, layers=2), frames(4)
    _, state = follow(follower, images[1:3], follower.start(images[0], mask_of(7, 200)))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number, object_id in enumerate(given):
        mask[40:60, 50 + 20 * number : 65 + 20 * number] = object_id
    predicted = state.mask.numpy()
    after = follower.add(images[2], mask, state)
    expected = np.where(mask > 0, mask, np.where(np.isin(predicted, given), 0, predicted))
    assert np.array_equal(after.mask.numpy(), expected)
    assert after.object_ids == (7, 200, *(i for i in given if i == 3))
    assert all(after.confidence[i] == 1.0 for i in given)
    assert after.confidence[7] == state.confidence[7]
    fresh = follower.start(
        images[2], np.where(expected == 3, 255, expected).astype(np.uint8)
    )  # 3 in the last slot
    for view, other in zip(after.views, fresh.views, strict=True):
        assert len(view.groups[0].frames) == 2
        assert all(torch.equal(a, b) for a, b in zip(newest(view), newest(other), strict=True))
    masks, _ = follow(follower, images[3:], after)
    assert set(np.unique(masks)) <= {0, *after.object_ids}


def test_objects_beyond_ten_that_come_late() -> None:
    follower, images = augmented(FLIP), frames(4)
    _, state = follow(follower, images[1:3], follower.start(images[0], mask_of(*range(1, 10))))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[40:, 50:70], mask[40:, 70:90] = 100, 101
    after = follower.add(images[2], mask, state)
    assert [group.object_ids for group in after.views[1].groups] == [(*range(1, 10), 100), (101,)]
    masks, last = follow(follower, images[3:], after)
    assert set(last.confidence) == {*range(1, 10), 100, 101}
    assert set(np.unique(masks)) <= {0, *last.confidence} and len(np.unique(masks)) > 2


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        ((), "scales is empty; expected at least one, for instance 1.0"),
        ((0.0,), "scale is 0; expected a number above 0 and at most 4"),
        ((1.0, -1.0), "scale is -1; expected a number above 0"),
        ((5.0,), "scale is 5; expected"),
        ((float("nan"),), "scale is nan; expected"),
        ((1.0, 1.0), "scale 1 is given twice; give each scale once"),
    ],
)
def test_bad_scales(scales: tuple[float, ...], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        limpet.load(scales=scales)


def test_a_scale_that_leaves_nothing_of_the_frame() -> None:
    follower = augmented(Augmentation(scales=(1.0, 0.1)))
    with pytest.raises(
        ModelError,
        match=r"scale 0.1 leaves 6x10 pixels of the network input of 65x97, but .* needs 16; use a larger scale",
    ):
        follower.start(frames(1)[0], mask_of(7))
    tiny = augmented(FLIP).start(frames(1, 1, 3)[0], mask_of(7, height=1, width=3))
    assert tiny.network_size == (17, 17), "at scale 1 any frame will do"


def test_states_of_another_kind_of_tracker_are_refused() -> None:
    images, flip = frames(2), augmented(FLIP)
    plain = Tracker(flip.model, precision="fp32")
    of_plain, of_flip = (t.start(images[0], mask_of(7)) for t in (plain, flip))
    with pytest.raises(ModelError, match="the state has 2 views, but the tracker has no augmentation"):
        plain.step(images[1], of_flip)
    with pytest.raises(
        ModelError, match="has 0 views, 0 of them mirrored, but the tracker has 2 and 1; step it"
    ):
        flip.step(images[1], of_plain)
    with pytest.raises(ModelError, match="has 2 views, 1 of them mirrored, but the tracker has 2 and 0"):
        augmented(Augmentation(scales=(1.0, 1.5))).add(images[0], mask_of(8), of_flip)
    with pytest.raises(ModelError, match="the state has 1 layers"):
        augmented(FLIP, layers=2).step(images[1], of_flip)


def test_bad_frames_and_masks_are_refused() -> None:
    follower, image = augmented(FLIP), frames(1)[0]
    state = follower.start(image, mask_of(7))
    with pytest.raises(VideoError, match="the frame is 64x97 but the first was 65x97"):
        follower.step(image[1:], state)
    with pytest.raises(VideoError, match="a frame is float32"):
        follower.start(image.astype(np.float32), mask_of(7))  # type: ignore[arg-type]
    for call in (lambda m: follower.start(image, m), lambda m: follower.add(image, m, state)):
        with pytest.raises(MaskError, match="mask is 64x97 but the frame is 65x97"):
            call(mask_of(7, height=64))
