"""Which frames a failing decoder lost."""

from __future__ import annotations

from limpet.video.pyav_decoding import FrameSlots


def expecting(*times: int) -> FrameSlots:
    slots = FrameSlots()
    for time in times:
        slots.expect(time)
    return slots


def test_nothing_is_lost_without_an_error() -> None:
    slots = expecting(0, 3, 1, 2)
    assert [slots.deliver(time, time == 0) for time in (0, 1, 2, 3)] == [[], [], [], []]
    assert slots.rest() == []


def test_hidden_packets_are_no_frames() -> None:
    slots = expecting(0, 1, 2)
    assert slots.deliver(0, True) == [] and slots.deliver(2, False) == []


def test_failed_packet_is_lost_once_passed_over() -> None:
    slots = expecting(0, 2, 1)  # decoding order: 2 comes before 1
    slots.deliver(0, True)
    slots.fail(2)
    assert slots.deliver(1, False) == []
    slots.expect(3)
    assert slots.deliver(3, False) == [2]


def test_silent_losses_count_until_the_next_key_frame() -> None:
    slots = expecting(0, 1, 2, 3, 4, 5)
    slots.deliver(0, True)
    slots.fail(1)
    assert slots.deliver(3, False) == [1, 2]
    assert slots.deliver(4, True) == []
    slots.expect(6)
    assert slots.deliver(6, False) == [], "5 was passed over after the damage had ended"


def test_rest_at_the_end() -> None:
    slots = expecting(0, 1, 2)
    slots.deliver(0, True)
    slots.fail(2)
    assert slots.rest() == [1, 2]
    assert slots.rest() == []
