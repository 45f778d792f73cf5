"""Which frames a failing decoder lost."""

from __future__ import annotations

from limpet.video.pending_timestamps import PendingTimestamps


def expecting(*times: int) -> PendingTimestamps:
    pending = PendingTimestamps()
    for time in times:
        pending.expect(time)
    return pending


def test_nothing_is_lost_without_an_error() -> None:
    pending = expecting(0, 3, 1, 2)
    assert [pending.deliver(time, time == 0) for time in (0, 1, 2, 3)] == [[], [], [], []]
    assert pending.missing_at_end() == []


def test_hidden_packets_are_no_frames() -> None:
    pending = expecting(0, 1, 2)
    assert pending.deliver(0, True) == [] and pending.deliver(2, False) == []


def test_failed_packet_is_lost_once_passed_over() -> None:
    pending = expecting(0, 2, 1)  # decoding order: 2 comes before 1
    pending.deliver(0, True)
    pending.fail(2)
    assert pending.deliver(1, False) == []
    pending.expect(3)
    assert pending.deliver(3, False) == [2]


def test_silent_losses_count_until_the_next_key_frame() -> None:
    pending = expecting(0, 1, 2, 3, 4, 5)
    pending.deliver(0, True)
    pending.fail(1)
    assert pending.deliver(3, False) == [1, 2]
    assert pending.deliver(4, True) == []
    pending.expect(6)
    assert pending.deliver(6, False) == [], "5 was passed over after the damage had ended"


def test_rest_at_the_end() -> None:
    pending = expecting(0, 1, 2)
    pending.deliver(0, True)
    pending.fail(2)
    assert pending.missing_at_end() == [1, 2]
    assert pending.missing_at_end() == []
