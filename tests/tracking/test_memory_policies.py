"""Memory policies on facts alone: who stays, who goes first, and what is said of a name or number that is none."""

from __future__ import annotations

import numpy as np
import pytest
from networks import lively_model, small_config

from limpet.core.errors import ModelError
from limpet.models import DeAOTConfig
from limpet.registry import find
from limpet.state import StoredFrame
from limpet.tracking.batched_tracker import BatchedTracker
from limpet.tracking.load import load
from limpet.tracking.memory_policies import (
    POLICIES,
    Bounded,
    FirstFrame,
    Frames,
    MemoryPolicy,
    Official,
    Ring,
    default_policy,
    find_policy,
    novelty,
)
from limpet.tracking.memory_update import choose_frames, least_useful_reference
from limpet.tracking.tracker import Tracker


def frame(index: int, *given: int, sure: float = 1.0, view: tuple[float, ...] = (0.0,)) -> StoredFrame:
    return StoredFrame(index, given, sure, view)


def video(policy: MemoryPolicy, offers: list[StoredFrame], room: int | None = None) -> list[list[int]]:
    """Indices that are kept after each offer, the newest first."""
    kept: Frames = ()
    history = []
    for offer in offers:
        (kept,) = choose_frames(policy, [(offer, *kept)], room)
        history.append([f.index for f in kept])
    return history


REFERENCE = frame(0, 7)
PLAIN = [REFERENCE, *(frame(5 * k) for k in range(1, 7))]


def test_first_keeps_references_whoever_offers_what() -> None:
    assert video(FirstFrame(), [*PLAIN, frame(31, 8)])[-1] == [31, 0]
    assert FirstFrame().gap is None


def test_official_keeps_everything() -> None:
    assert video(Official(), PLAIN)[-1] == [30, 25, 20, 15, 10, 5, 0]


def test_a_ring_keeps_the_newest_and_every_reference() -> None:
    offers = [*PLAIN[:3], frame(12, 8), *PLAIN[3:]]
    assert video(Ring(max_frames=3), offers) == [
        [0],
        [5, 0],
        [10, 5, 0],
        [12, 10, 5, 0],
        [15, 12, 10, 5, 0],
        [20, 15, 12, 10, 0],
        [25, 20, 15, 12, 0],
        [30, 25, 20, 12, 0],
    ]


def test_bounded_keeps_one_frame_of_each_view() -> None:
    """A long video that comes back to three views, the last one for a moment only, keeps all three."""
    chance = np.random.default_rng(0)
    views = {"a": (0.0, 0.0), "b": (10.0, 0.0), "c": (0.0, 10.0)}
    shown = "a" * 40 + "b" * 40 + "c" + "a" * 200 + "b" * 100
    offers = [frame(0, 7, view=views["a"])]
    for index, view in enumerate(shown, start=1):
        noisy = tuple(x + float(chance.normal(0, 0.1)) for x in views[view])
        offers.append(frame(index, sure=0.9, view=noisy))
    last = video(Bounded(max_frames=3), offers)[-1]
    kept = {shown[index - 1] for index in last if index}
    assert kept == {"b", "c"}, "the reference shows view a already"
    assert last[0] == len(shown) and last[-1] == 0 and len(last) == 4


def test_bounded_prefers_the_surer_of_two_frames_that_look_alike() -> None:
    new = frame(3, sure=0.9, view=(9.0,))
    for sure, expected in (((0.9, 0.8), [3, 1, 0]), ((0.5, 0.8), [3, 2, 0])):
        alike = [frame(1, sure=sure[0], view=(5.0,)), frame(2, sure=sure[1], view=(5.1,))]
        assert video(Bounded(max_frames=2), [REFERENCE, *alike, new])[-1] == expected


def test_bounded_drops_the_older_of_two_equals() -> None:
    assert video(Bounded(max_frames=2), [REFERENCE, *(frame(i, view=(5.0,)) for i in (1, 2, 3))])[-1] == [
        3,
        2,
        0,
    ]


def test_bounded_takes_the_newest_for_one_turn_whatever_its_worth() -> None:
    offers = [REFERENCE, frame(1, view=(5.0,)), frame(2, view=(9.0,)), frame(3, sure=0.01, view=(0.1,))]
    after = video(Bounded(max_frames=2), [*offers, frame(4, view=(20.0,))])
    assert after[-2][0] == 3 and after[-2][1:] == [2, 0]
    assert after[-1] == [4, 2, 0], "at the next turn it is judged like all others"


def test_bounded_lets_no_frame_in_that_shows_no_object() -> None:
    offers = [REFERENCE, frame(1, view=(1.0,)), frame(2, sure=0.0, view=(99.0,)), frame(3, view=(2.0,))]
    assert video(Bounded(max_frames=8), offers)[-1] == [3, 1, 0]


def test_bounded_has_a_bound_even_if_none_is_named() -> None:
    offers = [REFERENCE, *(frame(i, view=(float(i),)) for i in range(1, 50))]
    assert {len(kept) for kept in video(Bounded(), offers)} == set(range(1, 10))
    assert Bounded(max_bytes=10**9).max_frames is None, "bytes are a bound as well"


def test_novelty_is_the_distance_to_the_nearest_other() -> None:
    points = np.random.default_rng(0).normal(size=(20, 16))
    found = novelty([frame(i, view=tuple(p)) for i, p in enumerate(points.tolist())])
    slow = [
        min(float(np.linalg.norm(p - q)) for j, q in enumerate(points) if j != i)
        for i, p in enumerate(points)
    ]
    np.testing.assert_allclose(found, slow, rtol=1e-9)


@pytest.mark.parametrize("policy", [Official(), Ring(max_frames=4), Bounded()], ids=lambda p: p.name)
def test_where_room_is_short_references_go_last(policy: MemoryPolicy) -> None:
    frames = (frame(30), frame(25, 8), frame(20), frame(15), frame(0, 7))
    for room, expected in ((5, 5), (4, 4), (3, 3), (2, 2)):
        (kept,) = choose_frames(policy, [frames], room)
        assert len(kept) == expected
        assert {f.index for f in kept} >= {25, 0}, f"both references are there with room for {room}"
    (kept,) = choose_frames(policy, [frames], 1)
    assert [f.index for f in kept] == [0]


def test_groups_share_the_room_and_the_largest_gives_first() -> None:
    groups = [(frame(30), frame(20), frame(10), frame(0, 7)), (frame(30), frame(25, 12))]
    kept = choose_frames(Official(), groups, 4)
    assert [[f.index for f in k] for k in kept] == [[30, 0], [30, 25]]
    kept = choose_frames(Official(), groups, 2)
    assert [[f.index for f in k] for k in kept] == [[0], [25]]
    assert choose_frames(Official(), groups, None) == groups


def test_a_group_with_references_only_keeps_them_while_another_has_tracked_frames() -> None:
    groups = [(frame(9, 7), frame(8, 7), frame(0, 7)), (frame(10), frame(0, 12))]
    assert [[f.index for f in k] for k in choose_frames(Official(), groups, 4)] == [[9, 8, 0], [0]]


def test_of_references_those_go_first_whose_objects_were_given_elsewhere_too() -> None:
    only_one_of_8 = frame(5, 8)
    frames = (frame(20, 7), frame(10, 7), only_one_of_8, frame(0, 7))
    order = []
    while len(frames) > 1:
        gone = least_useful_reference(frames)
        order.append(gone.index)
        frames = tuple(f for f in frames if f is not gone)
    assert order == [10, 20, 5]


def model_with(gap: int | None, frames: int | None = None) -> DeAOTConfig:
    return DeAOTConfig(long_term_gap=gap, long_term_frames=frames)


def test_every_part_asks_one_place_for_the_default_of_a_model() -> None:
    for gap, expected in ((None, FirstFrame()), (5, Official(gap=5))):
        assert default_policy(model_with(gap)) == expected
        model = lively_model(small_config(gap=gap))
        assert Tracker(model).memory == expected
        assert BatchedTracker(model, (48, 64)).config.ring == (0 if gap is None else 8)
    assert default_policy(model_with(2), 10**6).max_bytes == 10**6
    assert default_policy(model_with(5, frames=2)) == Bounded(gap=5, max_frames=2)
    for name in ("deaot-t-deformable", "deaot-nano"):
        assert default_policy(find(name).config()) == Bounded(gap=5, max_frames=2), "what ships stays bounded"


def test_a_model_brings_its_gap() -> None:
    assert find_policy(None, model_with(None)) == FirstFrame()
    assert find_policy(None, model_with(5)) == Official(gap=5)
    assert find_policy(None, model_with(2), 10**6) == Official(gap=2, max_bytes=10**6)
    assert find_policy("ring", model_with(3)) == Ring(gap=3)
    assert find_policy("bounded", model_with(None)) == Bounded(gap=5), (
        "the official gap where the model has none"
    )
    assert find_policy("first", model_with(5)) == FirstFrame()
    own = Ring(gap=7, max_frames=2)
    assert find_policy(own, model_with(5)) is own
    assert find_policy(own, model_with(5), 10**6) == Ring(gap=7, max_frames=2, max_bytes=10**6)
    assert list(POLICIES) == ["first", "official", "ring", "bounded"]


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(
        ModelError, match=r"no memory policy called 'fisrt'; .* are: first, official, ring, bounded"
    ):
        load("deaot-l", memory="fisrt")


@pytest.mark.parametrize(
    ("budget", "said"), [(0, "0 MB"), (-5, "-5 MB"), (float("nan"), "nan MB"), (float("inf"), "inf")]
)
def test_a_budget_of_nothing_is_refused(budget: float, said: str) -> None:
    with pytest.raises(ModelError, match=f"the memory budget is {said}.*; expected a number of MB above 0"):
        load("deaot-l", memory_budget_mb=budget)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"gap": 0}, "gap of the memory is 0; expected at least 1 frame, or None"),
        ({"max_frames": -1}, "max_frames of the memory is -1; expected 0 or more, or None"),
        ({"max_bytes": 0}, "budget is 0 MB; expected more than 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, int], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        Ring(**settings)
