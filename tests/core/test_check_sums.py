"""The check sum within a JSON file."""

from __future__ import annotations

import json

import pytest

from limpet.core.check_sums import CHECK_SUM, check_content, check_sum

CONTENT = {"b": [1, 2.5, None], "a": {"2": "é", "10": True}, "name": "x"}


def with_sum(content: dict[str, object]) -> dict[str, object]:
    return content | {CHECK_SUM: check_sum(content)}


def test_what_was_written_is_accepted_in_any_order_and_without_a_sum() -> None:
    read = json.loads(json.dumps(with_sum(CONTENT)))
    check_content(read)
    check_content(dict(reversed(read.items())))
    check_content(CONTENT)


@pytest.mark.parametrize(
    "change", [{"name": "y"}, {"b": [2.5, 1, None]}, {"a": {"2": "é"}}, {"new": 0}, {CHECK_SUM: 7}]
)
def test_any_other_content_is_told(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"check sum .* does not match the rest"):
        check_content(with_sum(CONTENT) | change)


def test_entries_that_are_not_covered_may_change() -> None:
    covered = {"name": "x"}
    read = {**covered, "other": 1, CHECK_SUM: check_sum(covered)}
    check_content(read | {"other": 2}, ("name", "absent"))
    with pytest.raises(ValueError, match="does not match"):
        check_content(read | {"name": "y"}, ("name", "absent"))
