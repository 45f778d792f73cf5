"""JSON of strangers: deep, large, or with numbers that are none; refused before memory is taken for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from limpet.core.errors import LimpetError
from limpet.core.json_text import finite_json, finite_number, nesting, parse_json, read_json, whole_number


def slow_nesting(text: str) -> int:
    """The depth, one character after another."""
    depth = most = 0
    quoted = escaped = False
    for character in text:
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in "[{":
            depth += 1
            most = max(most, depth)
        elif character in "]}":
            depth -= 1
    return most


@pytest.mark.parametrize(
    "value",
    [
        0,
        [],
        {"a": [1, {"b": []}]},
        ["[[[", "]]]"],
        ['"[[', "\\"],
        {'\\"[': ["\\\\", [["{"]]]},
        ["é\n", [["\\[\\"]]],
    ],
)
def test_the_depth_is_that_of_a_plain_count(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert nesting(text) == nesting(text.encode()) == slow_nesting(text)


@pytest.mark.parametrize("open_, close", [("[", "]"), ('{"a":', "}")])
def test_depth_is_limited(open_: str, close: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def text(depth: int) -> str:
        return open_ * depth + ("1" if open_ != "[" else "") + close * depth

    assert parse_json(text(100)) is not None
    for depth in (101, 200_000):
        with pytest.raises(
            ValueError, match=f"nested too deeply: {depth} levels, at most 100 .*LIMPET_MAX_JSON_DEPTH"
        ):
            parse_json(text(depth))
    monkeypatch.setenv("LIMPET_MAX_JSON_DEPTH", "101")
    assert parse_json(text(101)) is not None


def test_files_are_measured_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte that takes no room on the disk
    with pytest.raises(
        ValueError, match=r"has 1099511627776 bytes; at most 67108864.*LIMPET_MAX_OWN_JSON_BYTES"
    ):
        read_json(path)
    path.write_text('{"a": 12}')
    assert read_json(path) == {"a": 12}
    monkeypatch.setenv("LIMPET_MAX_OWN_JSON_BYTES", "8")
    with pytest.raises(ValueError, match="has 9 bytes; at most 8"):
        read_json(path)
    assert read_json(path, 9) == {"a": 12}


def test_a_device_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It states no size."""
    monkeypatch.setenv("LIMPET_MAX_OWN_JSON_BYTES", "1000")
    with pytest.raises(ValueError, match="has 1001 bytes"):
        read_json(Path("/dev/zero"))


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}'])
def test_what_is_not_a_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="which is not a number of JSON"):
        parse_json(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [1.0, -float("inf")]}])
def test_what_is_not_a_number_is_not_written(value: object) -> None:
    with pytest.raises(LimpetError, match="the scores cannot be written: a number in it is NaN or infinite"):
        finite_json(value, "the scores")
    assert finite_json({"a": [1.5, None]}, "the scores", indent=1) == json.dumps({"a": [1.5, None]}, indent=1)


def test_numbers_are_checked() -> None:
    assert whole_number(3, "index", 0, 3) == 3 and finite_number(1, "time", 0, 2) == 1.0
    for value in (4, -1, True, 1.5, "3", None, [3], 10**400):
        with pytest.raises(ValueError, match=r"index is .*; expected a whole number of 0 to 3"):
            whole_number(value, "index", 0, 3)
    for other in (float("nan"), float("inf"), 3, True, "1", None, 10**400):
        with pytest.raises(ValueError, match=r"time is .*; expected a number of 0 to 2"):
            finite_number(other, "time", 0, 2)
