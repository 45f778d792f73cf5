"""Records that come back from JSON with values of the types that their fields state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pytest

from limpet.core.saved_records import record_from


@dataclass(frozen=True)
class Part:
    name: str
    share: float


@dataclass(frozen=True)
class Whole:
    count: int
    kind: Literal["a", "b"]
    sizes: tuple[int, ...] = ()
    pair: tuple[float, float] | None = None
    parts: tuple[Part, ...] = ()
    by_name: Mapping[str, int] = field(default_factory=dict)
    on: bool = False
    free: Any = None


WHOLE = Whole(3, "b", (1, 2), (0.5, 2), (Part("x", 1),), {"y": 4}, True, [{"z": None}])


def test_what_was_written_comes_back() -> None:
    assert record_from(Whole, json.loads(json.dumps(asdict(WHOLE)))) == WHOLE
    assert record_from(Whole, {"count": 1, "kind": "a"}) == Whole(1, "a")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"count": "3"}, "count is '3'; expected int"),
        ({"count": 3.0}, "count is 3.0; expected int"),
        ({"count": True}, "count is True; expected int"),
        ({"on": 1}, "on is 1; expected bool"),
        ({"kind": "c"}, "kind is 'c'; expected"),
        ({"kind": []}, "kind is []; expected"),
        ({"sizes": [1, "2"]}, "sizes is '2'; expected int"),
        ({"sizes": 7}, "sizes is 7; expected"),
        ({"pair": [1, 2, 3]}, "pair is [1, 2, 3]; expected"),
        ({"pair": [1, float("nan")]}, "pair is [1, nan]; expected"),
        ({"parts": [{"name": "x"}]}, "Part lacks an entry"),
        ({"parts": [{"name": 5, "share": 1}]}, "name is 5; expected str"),
        ({"by_name": {"y": None}}, "by_name is None; expected int"),
        ({"other": 1}, "Whole has no entry 'other'"),
    ],
)
def test_other_values_are_told_by_the_name_of_their_field(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as error:
        record_from(Whole, json.loads(json.dumps(asdict(WHOLE))) | change)
    assert words in str(error.value)


def test_what_is_no_dictionary_or_lacks_a_field_is_told() -> None:
    with pytest.raises(ValueError, match=r"Whole is \[1\]; expected a dictionary"):
        record_from(Whole, [1])
    with pytest.raises(ValueError, match=r"Whole lacks an entry .*'count'"):
        record_from(Whole, {"kind": "a"})
