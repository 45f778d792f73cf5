"""Times of frames whose clock goes back, jumps ahead or stands still."""

from __future__ import annotations

import pytest

from limpet.video.frame_clock import FrameClock


def times(stamps: list[float], may_jump: bool = True, step: float = 0.04) -> tuple[list[float], list[int]]:
    """The times, and the frames before which the clock jumped."""
    clock = FrameClock(step, may_jump)
    found = [clock.shown_at(stamp) for stamp in stamps]
    return [round(time, 6) for time, _ in found], [k for k, (_, jump) in enumerate(found) if jump is not None]


def test_an_even_clock_stays_as_it_is() -> None:
    stamps = [1000 + 0.04 * k for k in range(50)]
    assert times(stamps) == (pytest.approx([0.04 * k for k in range(50)]), [])


def test_a_jump_ahead_is_one_step_where_the_format_allows_jumps() -> None:
    stamps = [0.0, 0.04, 0.08, 1000.0, 1000.04]
    assert times(stamps) == ([0.0, 0.04, 0.08, 0.12, 0.16], [3])
    assert times(stamps, may_jump=False) == ([0.0, 0.04, 0.08, 1000.0, 1000.04], []), (
        "a picture that stands for long"
    )


def test_a_clock_that_goes_back_is_followed_from_there() -> None:
    stamps = [5.0, 5.04, 5.08, 5.12, 5.16, 5.2, 5.24, 0.0, 0.04, 0.08]
    assert times(stamps) == times(stamps, may_jump=False) == ([round(0.04 * k, 6) for k in range(10)], [7])


def test_frames_out_of_order_never_make_the_time_decrease() -> None:
    assert times([0.0, 0.08, 0.04, 0.12]) == ([0.0, 0.08, 0.08, 0.12], [])


def test_a_wrapped_counter_of_mpeg() -> None:
    """33 bits at 90 kHz wrap after 26.5 hours."""
    wrap = (1 << 33) / 90_000
    found, jumps = times([wrap - 0.08, wrap - 0.04, 0.0, 0.04])
    assert found == pytest.approx([0.0, 0.04, 0.08, 0.12]) and jumps == [2]


def test_24_hours_of_frames_with_a_jump_each_hour() -> None:
    clock, shown = FrameClock(0.04, may_jump=True), 0.0
    for hour in range(24):
        for k in range(0, 90_000, 100):
            shown, _ = clock.shown_at(hour * 7919.0 + 4 * k * 0.01)
    assert shown == pytest.approx(23 * 0.04 + 24 * 3596, abs=0.1)


def test_it_can_go_on_in_the_middle() -> None:
    clock = FrameClock(0.04, may_jump=False)
    clock.begin(10.0, last=0.4)
    assert clock.shown_at(10.44)[0] == pytest.approx(0.44) and clock.origin == 10.0
