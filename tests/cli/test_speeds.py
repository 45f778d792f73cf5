"""The file of measured speeds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import torch

from limpet import __version__
from limpet.cli.speeds import Speed, SpeedBook, cache_folder, keep, this_machine


def test_a_speed_is_found_again_in_its_own_setting(tmp_path: Path) -> None:
    path = tmp_path / "new" / "speeds.json"
    SpeedBook("two threads", path).put("deaot-t", 0.12345)
    SpeedBook("one thread", path).put("deaot-t", 0.2)
    assert SpeedBook("two threads", path).get("deaot-t") == Speed(123.5, date.today().isoformat())
    assert SpeedBook("one thread", path).get("deaot-t") == Speed(200.0, date.today().isoformat())
    assert SpeedBook("one thread", path).get("deaot-s") is None
    assert SpeedBook("a GPU", path).get("deaot-t") is None


@pytest.mark.parametrize("text", ["", "[]", '{"a": 3}', '{"a": {"deaot-t": {}}}', "{"])
def test_a_damaged_file_is_told_and_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "speeds.json"
    path.write_text(text)
    book = SpeedBook("a", path)
    assert "speeds.json cannot be understood" in capsys.readouterr().err
    assert book.get("deaot-t") is None
    book.put("deaot-t", 1.0)
    assert SpeedBook("a", path).get("deaot-t") is not None
    assert capsys.readouterr().err == ""


def test_a_speed_that_cannot_be_kept_is_still_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    book = SpeedBook("a", tmp_path / "file" / "speeds.json")
    keep(book, "deaot-t", 1.0)
    assert "note: the speed of deaot-t is not kept: cannot write" in capsys.readouterr().err
    assert book.get("deaot-t") is not None


def test_the_setting_names_threads_and_versions() -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = this_machine("cpu")
        torch.set_num_threads(2)
        assert this_machine("cpu") != one
    finally:
        torch.set_num_threads(threads)
    assert "1 thread, " in one and f"limpet {__version__}" in one and torch.__version__ in one


def test_the_folder_is_where_the_system_keeps_such_things(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/limpet")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "limpet"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "limpet"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert cache_folder() == Path("/local/limpet")
