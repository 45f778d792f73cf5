"""What waits between a source and a tracker: bounded, in order, and every dropped frame counted."""

from __future__ import annotations

import threading

import pytest

from limpet.video.frame_queue import FrameQueue, StreamAccount
from limpet.video.video_reader import Frame

WAIT = 20
"""Seconds after which a test fails that would hang otherwise."""


def frame(index: int) -> Frame:
    return Frame(index, None, index / 25)


def taken(queue: FrameQueue) -> tuple[int, int]:
    """The index of the next frame, and how many before it were dropped."""
    arrived = queue.take()
    assert arrived is not None
    return arrived.frame.index, arrived.dropped_before


def test_the_newest_frame_wins_and_the_others_are_counted() -> None:
    queue = FrameQueue(1, drop=True)
    for index in range(4):
        assert queue.put(frame(index))
    assert taken(queue) == (3, 3)
    queue.put(frame(4))
    assert taken(queue) == (4, 0)
    for index in (5, 6):
        queue.put(frame(index))
    queue.end()
    assert taken(queue) == (6, 1) and queue.take() is None


def test_looking_takes_nothing() -> None:
    queue = FrameQueue(1, drop=True)
    queue.put(frame(0))
    assert queue.peek() == queue.peek() is not None
    queue.put(frame(1))
    assert taken(queue) == (1, 1)


def test_a_source_that_is_blocked_runs_ahead_by_no_more_than_there_is_room() -> None:
    queue = FrameQueue(2, drop=False)
    put: list[int] = []

    def read() -> None:
        for index in range(50):
            queue.put(frame(index))
            put.append(index)
        queue.end()

    thread = threading.Thread(target=read)
    thread.start()
    for index in range(50):
        assert taken(queue) == (index, 0)
        assert len(put) <= index + 1 + 2
    assert queue.take() is None
    thread.join(WAIT)
    assert not thread.is_alive()


def test_closing_sends_a_blocked_source_home() -> None:
    queue = FrameQueue(1, drop=False)
    queue.put(frame(0))
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(queue.put(frame(1))))
    thread.start()
    queue.close()
    thread.join(WAIT)
    assert answers == [False] and queue.take() is None


def test_an_error_comes_after_the_frames_before_it() -> None:
    queue = FrameQueue(2, drop=False)
    queue.put(frame(0))
    queue.end(ValueError("unplugged"))
    assert taken(queue) == (0, 0)
    with pytest.raises(ValueError, match="unplugged"):
        queue.take()


def test_waiting_can_be_ended() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FrameQueue(1, drop=True).take(stop)


def test_latency_counts_from_arrival_not_from_when_there_was_room() -> None:
    moments = iter([10.0, 11.0])
    queue = FrameQueue(1, drop=True, clock=lambda: next(moments))
    queue.put(frame(0))
    queue.put(frame(1))
    arrived = queue.take()
    assert arrived is not None and arrived.time == 11.0


def test_the_account() -> None:
    account = StreamAccount("drop")
    assert account.sentence() == "0 of 0 frames dropped to keep up, latency 0 ms (median), 0 ms at most"
    account.dropped_before.extend([30, 2, 0, 1])
    account.latencies.extend([0.25, 0.5, 0.125, 1.5])
    assert account.as_dict() == {
        "mode": "drop", "dropped": 3, "dropped_before": [30, 2, 0, 1],
        "latency_median_seconds": 0.375, "latency_longest_seconds": 1.5,
    }  # fmt: skip
    assert account.sentence() == "3 of 7 frames dropped to keep up, latency 375 ms (median), 1.5 s at most"
    assert StreamAccount("block").sentence().startswith("no frame dropped, latency")
