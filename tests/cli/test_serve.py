"""``limpet serve``: what it opens, what it prints, and that nothing is served beyond this machine without a word."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from limpet.cli.options import MODEL
from limpet.project import Project
from limpet.serve import background, click_process, run_server
from limpet.serve.run_server import Listening
from limpet.serve.workbench import Workbench

from .clips import picture, write_video
from .command import Limpet

Served = list[tuple[Workbench, str, int]]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    """What would be served; no process is started."""
    found: Served = []

    def run(bench: Workbench, host: str, port: int, started: Callable[[Listening], None]) -> None:
        found.append((bench, host, port))
        started(Listening(f"http://{host}:{port}/#token=secret", host == "127.0.0.1"))
        bench.close()

    monkeypatch.setattr(run_server, "run_server", run)
    monkeypatch.setattr(background.Background, "prepare", lambda self, model: None)
    monkeypatch.setattr(click_process.ClickProcess, "prepare", lambda self: None)
    return found


def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    addresses: list[Any] = []
    monkeypatch.setattr("webbrowser.open", addresses.append)
    return addresses


def test_a_video_gets_its_project_and_the_browser_opens(
    limpet: Limpet, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = opened(monkeypatch)
    write_video(tmp_path / "clip.mp4", [picture(k, (48, 64)) for k in range(3)])
    outcome = limpet("serve", "clip.mp4")
    outcome.succeeded()
    ((bench, host, port),) = served
    assert addresses == ["http://127.0.0.1:8765/#token=secret"] and addresses[0] in outcome.out
    assert (host, port, bench.config.model) == ("127.0.0.1", 8765, "deaot-t-deformable")
    assert Project.open(tmp_path / "clip-project").size == (48, 64)
    assert {root.resolve() for root in bench.config.roots} == {tmp_path.resolve()}


def test_options(limpet: Limpet, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = opened(monkeypatch)
    write_video(tmp_path / "clip.mp4", [picture(k, (48, 64)) for k in range(3)])
    limpet(
        "serve", "clip.mp4", "--project", "job", "--port", 0, "--no-browser", "--model", "deaot-nano"
    ).succeeded()
    assert addresses == [] and served[0][0].config.model == "deaot-nano" and served[0][2] == 0
    assert (tmp_path / "job/project.json").is_file()
    limpet("serve", "job", "--no-browser", "--root", "job").succeeded()
    assert served[1][0].config.roots == (Path("job"),)


def test_without_a_video_the_page_asks_and_other_machines_are_spoken_of(
    limpet: Limpet, served: Served
) -> None:
    outcome = limpet("serve", "--no-browser", "--host", "0.0.0.0")
    outcome.succeeded()
    assert "can be reached from other machines" in outcome.err


def test_weights_say_whose_they_are(limpet: Limpet, served: Served, weights: Path, tmp_path: Path) -> None:
    limpet("serve", "--no-browser", "--weights", weights).succeeded()
    assert served[0][0].config.model == MODEL and served[0][0].config.weights == weights
    limpet("serve", "--model", "deaot-nano", "--weights", weights).refused(
        f"holds weights of '{MODEL}', not of 'deaot-nano'"
    )
    (tmp_path / "other").write_bytes(b"hello")
    limpet("serve", "--weights", "other").refused("other cannot be read as a weights file")
    limpet("serve", "--model", "deaot-t").refused("no weights for 'deaot-t' ship with limpet")
    limpet("serve", "--model", "deaot-x").refused("deaot-x")
    assert len(served) == 1


def test_the_model_is_looked_up_without_torch(weights: Path) -> None:
    """The server needs no torch, only the process that propagates."""
    code = (
        "import sys; sys.modules['torch'] = None; from pathlib import Path; from limpet.cli.serve import _model; "
        f"print(_model(None, None), _model(None, Path({str(weights)!r})), _model('hf:a/b', None))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.split() == [MODEL, MODEL, "hf:a/b"], result.stderr[-800:]


def test_without_the_extra_it_is_named(limpet: Limpet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "limpet.serve.run_server", None)
    limpet("serve", "--no-browser").refused("pip install 'limpet[web]'")


def test_what_cannot_be_opened_is_told_before_anything_is_served(limpet: Limpet, served: Served) -> None:
    limpet("serve", "nothing.mp4", "--no-browser").refused("nothing.mp4 does not exist; expected a video")
    assert served == []
