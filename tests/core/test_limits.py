"""ReadLimits have defaults, and the environment changes them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from limpet.core.errors import LimpetError
from limpet.core.limits import ReadLimits, is_frame_size, limits, variable_of


def test_each_limit_can_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits() == ReadLimits()
    for field in fields(ReadLimits):
        monkeypatch.setenv(variable_of(field.name), "7")
        assert getattr(limits(), field.name) == 7
    assert limits() == ReadLimits(*[7] * len(fields(ReadLimits)))


@pytest.mark.parametrize("text", ["", "0", "-1", "1e9", "many", "9" * 400])
def test_a_limit_that_is_no_number_is_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMPET_MAX_PIXELS", text)
    with pytest.raises(LimpetError, match=r"LIMPET_MAX_PIXELS is .*; expected a whole number of at least 1"):
        limits()


def test_sizes_of_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_frame_size(1, 1) and is_frame_size(4320, 7680)
    assert not is_frame_size(0, 5) and not is_frame_size(1, 40_000) and not is_frame_size(30_000, 30_000)
    monkeypatch.setenv("LIMPET_MAX_PIXELS", "12")
    assert is_frame_size(3, 4) and not is_frame_size(3, 5)


def test_the_page_has_a_row_for_each() -> None:
    page = (Path(__file__).parents[2] / "docs/limits.md").read_text(encoding="utf-8")
    for field in fields(ReadLimits):
        assert f"`{variable_of(field.name)}` | {field.default:,} |" in page
