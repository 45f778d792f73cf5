from __future__ import annotations

import threading

import pytest

from limpet.tracking.behind import WriteBehind


def test_one_job_works_while_the_next_thing_is_made() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), []

    def slow(number: int) -> None:
        begun.set()
        assert go_on.wait(10)
        done.append(number)

    with WriteBehind() as behind:
        behind.put(slow, 1)
        assert begun.wait(10) and done == [], "put comes back while the job is at work"
        go_on.set()
        behind.put(slow, 2)
        assert done[0] == 1, "the second job begins after the first has ended"
        behind.wait()
        assert done == [1, 2]
        behind.put(slow, 3)
    assert done == [1, 2, 3], "leaving waits for the last"


def fail() -> None:
    raise OSError("no space")


def test_an_error_comes_at_the_next_call_or_on_leaving() -> None:
    with WriteBehind() as behind:
        behind.put(fail)
        with pytest.raises(OSError, match="no space"):
            behind.put(lambda: pytest.fail("must not begin"))
        behind.wait()  # it was told once
    with pytest.raises(OSError, match="no space"), WriteBehind() as behind:
        behind.put(fail)


def test_what_went_wrong_first_is_told_and_the_last_job_is_done_all_the_same() -> None:
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt), WriteBehind() as behind:
        behind.put(done.append, 1)
        raise KeyboardInterrupt
    assert done == [1]
    with pytest.raises(KeyboardInterrupt), WriteBehind() as behind:
        behind.put(fail)
        raise KeyboardInterrupt
