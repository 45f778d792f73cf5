"""`limpet models`."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import torch

from limpet import __version__
from limpet.cli.models import ModelSpeed, SpeedBook, cache_folder, compute_device, keep, this_machine
from limpet.registry import entries

from .command import Limpet


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limpet.cli.models.cache_folder", lambda: tmp_path / "cache")


def cells(text: str) -> dict[str, list[str]]:
    """The table's lines by the model's name."""
    names = {entry.name for entry in entries()}
    return {
        line.split()[0]: line.split()
        for line in text.splitlines()
        if line.split()[:1] and line.split()[0] in names
    }


def test_every_model_has_a_line(limpet: Limpet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "deaot-b.safetensors").touch()
    monkeypatch.setattr("limpet.weights.zoo.BUNDLED", tmp_path)
    outcome = limpet("models")
    outcome.succeeded()
    lines = cells(outcome.out)
    assert list(lines) == [entry.name for entry in entries()]
    assert lines["deaot-t"][:6] == ["deaot-t", "7.2", "M", "official", "?", "tiny:"]
    assert lines["r50-aot-l"][:6] == ["r50-aot-l", "14.9", "M", "official", "?", "large:"]
    assert lines["deaot-b"][3] == "ships"
    assert "not measured yet: limpet models --measure" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_more_of_a_model(limpet: Limpet) -> None:
    outcome = limpet("models", "r50-deaot-l", "deaot-t-deformable")
    outcome.succeeded()
    first, second = outcome.out.split("deaot-t-deformable: ")
    for words in (
        "r50-deaot-l: large: ResNet-50, 3 layers, memory every 5 frames",
        "the first frame, the previous one and every 5th (8 of them)",
        "19.8 million",
        "16k + 1 pixels",
        "none in the package",
        "R50_DeAOTL_PRE_YTB_DAV.pth",
        "https://github.com/yoxu515/aot-benchmark",
        "limpet weights convert R50_DeAOTL_PRE_YTB_DAV.pth --model r50-deaot-l",
        "--model r50-deaot-l --weights r50-deaot-l.safetensors",
        "limpet models --measure r50-deaot-l",
    ):
        assert words in first, words
    assert "bundled/deaot-t-deformable.safetensors" in second and "convert" not in second


def test_speeds_are_measured_on_request_and_kept(limpet: Limpet, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measure(model: str, device: str, on_frame: object) -> float:
        asked.append((model, device))
        return 1.2345

    monkeypatch.setattr("limpet.bench.benchmark.measure_speed", measure)
    outcome = limpet("models", "--measure", "deaot-t", "aot-t", "--device", "cpu")
    outcome.succeeded()
    assert asked == [("deaot-t", "cpu"), ("aot-t", "cpu")]
    assert {name: line[4] for name, line in cells(outcome.out).items()} == {
        "deaot-t": "1,234",
        "aot-t": "1,234",
    }
    later = limpet("models", "--device", "cpu")
    assert len(asked) == 2, "what was measured is not measured again"
    assert {name for name, line in cells(later.out).items() if line[4] != "?"} == {"deaot-t", "aot-t"}
    assert "ms: per frame of 480x854, 3 objects, measured 20" in later.out
    assert "1,234 ms per frame, measured 20" in limpet("models", "aot-t", "--device", "cpu").out


def test_names_that_do_not_exist(limpet: Limpet) -> None:
    limpet("models", "deaot-x").refused("there is no model called 'deaot-x'; did you mean")
    limpet("models", "--device", "tpu").refused("there is no device 'tpu'")


def test_a_speed_is_found_again_in_its_own_setting(tmp_path: Path) -> None:
    path = tmp_path / "new" / "speeds.json"
    SpeedBook("two threads", path).put("deaot-t", 0.12345, "a CPU")
    SpeedBook("one thread", path).put("deaot-t", 0.2, "a CPU")
    assert SpeedBook("two threads", path).get("deaot-t") == ModelSpeed(
        123.5, date.today().isoformat(), "a CPU"
    )
    assert SpeedBook("one thread", path).get("deaot-t") == ModelSpeed(
        200.0, date.today().isoformat(), "a CPU"
    )
    assert SpeedBook("one thread", path).get("deaot-s") is None
    assert SpeedBook("a GPU", path).get("deaot-t") is None


@pytest.mark.parametrize("text", ["", "[]", '{"a": 3}', '{"a": {"deaot-t": {}}}', "{"])
def test_a_damaged_file_is_told_and_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "speeds.json"
    path.write_text(text)
    book = SpeedBook("a", path)
    assert "speeds.json holds no speeds that can be read" in capsys.readouterr().err
    assert book.get("deaot-t") is None
    book.put("deaot-t", 1.0, "a CPU")
    assert SpeedBook("a", path).get("deaot-t") is not None
    assert capsys.readouterr().err == ""


def test_a_speed_that_cannot_be_kept_is_still_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    book = SpeedBook("a", tmp_path / "file" / "speeds.json")
    keep(book, "deaot-t", 1.0, "a CPU")
    assert "note: the speed of deaot-t is not kept: cannot write" in capsys.readouterr().err
    assert book.get("deaot-t") is not None


WITHOUT_TORCH = """
import sys
from limpet.cli.main import main
for words in (
    ["models"], ["--help"], ["train", "--help"], ["distill", "--help"], ["models", "--device", "cpu"]
):
    sys.argv = ["limpet", *words]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, (words, end.code)
    assert "torch" not in sys.modules, words
"""


def test_what_a_speed_depends_on_is_known_without_torch() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert this_machine("cpu") != this_machine("auto")


def test_the_setting_names_threads_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = this_machine("cpu")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert this_machine("cpu") != one
    assert "OMP_NUM_THREADS=1, " in one and f"limpet {__version__}" in one and torch.__version__ in one
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert "1 thread, " in compute_device("cpu")
    finally:
        torch.set_num_threads(threads)


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


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("deaot-t", "the first frame and the previous one"),
        ("deaot-t-deformable", "the first frame, the previous one and every 5th (2 of them)"),
    ],
)
def test_the_memory_of_a_model_is_described(name: str, words: str, limpet: Limpet) -> None:
    assert words in " ".join(limpet("models", name).out.split())
