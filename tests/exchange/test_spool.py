"""What comes frame by frame is given object by object, and the other way round, from a file and not from memory."""

from __future__ import annotations

import tracemalloc

import pytest

from limpet.exchange.spool import MaskSpool


def test_both_orders() -> None:
    for order in ("object", "frame"):
        with MaskSpool(order) as spool:
            assert (spool.objects(), spool.last_frame(), list(spool.by_frame())) == ([], -1, [])
            for number, frame, text in [(2, 1, "c"), (1, 0, "a"), (1, 5, "d"), (2, 0, "b"), (1, 0, "again")]:
                spool.put(number, frame, text)
            assert (spool.objects(), spool.last_frame()) == ([1, 2], 5)
            assert list(spool.of_object(1)) == [(0, "a"), (0, "again"), (5, "d")]
            assert list(spool.by_frame()) == [
                (0, [(1, "a"), (2, "b"), (1, "again")]),
                (1, [(2, "c")]),
                (5, [(1, "d")]),
            ]


@pytest.mark.parametrize("order", ["object", "frame"])
def test_little_of_it_is_in_memory(order: str) -> None:
    tracemalloc.start()
    try:
        with MaskSpool(order) as spool:  # type: ignore[arg-type]
            for frame in range(60):
                for number in range(50):
                    spool.put(number, frame, "x" * 1000)
            assert sum(len(text) for _, text in spool.of_object(3)) == 60_000
            assert sum(1 for _ in spool.by_frame()) == 60
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
