"""What docs/security.md promises against those who mean harm."""

from __future__ import annotations

import ast
import re
import select
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import frames, mask_of, small_tracker
from PIL import Image
from project.tiny import Repeats, boxes, make_video
from results.reports import example

from limpet.batch.job import BatchJob
from limpet.batch.ledger import JobOutcome, Ledger
from limpet.batch.summary import write_summary
from limpet.core.errors import VideoError
from limpet.core.picture_files import picture_formats
from limpet.core.without_telemetry import without_telemetry
from limpet.exchange.formats import read_masks, write_masks
from limpet.project import Project
from limpet.project.mask_exchange import project_masks
from limpet.tracking.track_video import track
from limpet.video.open import open_video

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "limpet").rglob("*.py"))
UNSAFE_MODULES = {
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "yaml",
    "telnetlib",
    "ftplib",
}
UNSAFE_CALLS = {
    *("os.system", "os.popen", "os.execv", "os.execvp", "os.spawnl", "os.startfile", "subprocess.getoutput"),
    *(
        "eval",
        "exec",
        "compile",
        "__import__",
        "tempfile.mktemp",
        "np.fromfile",
        "zipfile.ZipFile.extractall",
    ),
}
GIVEN = {"weights_only", "allow_pickle", "shell"}
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>"


WORDS = re.compile(
    r"pickle|marshal|shelve|dill|joblib|yaml|telnetlib|ftplib|system|popen|exec|eval|compile|__import__|spawn|startfile|"
    r"getoutput|mktemp|fromfile|extract|torch\.load|np\.load|numpy\.load|shell|Image\.open"
)
"""Files without any of them are not parsed."""


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node


def dotted(node: ast.AST) -> str:
    """``os.system``; of what is no chain of names only the end, as in ``.extractall``."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def unsafe(text: str) -> list[str]:
    """What in a module could execute what it reads."""
    found: list[str] = []
    tree = ast.parse(text)
    for node in ast.walk(tree):
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [name for name in names if name.partition(".")[0] in UNSAFE_MODULES]
    for name, call in calls(tree):
        more = {each.arg: ast.unparse(each.value) for each in call.keywords if each.arg in GIVEN}
        if (
            (name in UNSAFE_CALLS or name.endswith((".extractall", ".extract")))
            or (name == "torch.load" and more.get("weights_only") != "True")
            or (name in ("np.load", "numpy.load") and more.get("allow_pickle", "False") != "False")
            or (more.get("shell", "False") != "False")
        ):
            found.append(f"{name} in line {call.lineno}")
    return found


UNSAFE_LINES = (
    *(
        "import pickle",
        "from yaml import load",
        "os.system(x)",
        "eval(x)",
        "torch.load(x)",
        "run(x, shell=True)",
    ),
    *("np.load(x, allow_pickle=True)", "archive.extractall(x)", "torch.load(x, weights_only=False)"),
)


@pytest.mark.parametrize("line", UNSAFE_LINES)
def test_what_is_unsafe_is_found(line: str) -> None:
    assert WORDS.search(line) and len(unsafe(f"import os\nimport numpy as np\n\n{line}\n")) == 1


def test_no_module_can_execute_what_it_reads() -> None:
    found = {
        path.relative_to(ROOT): unsafe(text)
        for path in SOURCES
        if WORDS.search(text := path.read_text("utf-8"))
    }
    assert len(SOURCES) > 300 and len(found) > 10, "it does look at files"
    assert {path: what for path, what in found.items() if what} == {}


def test_pictures_are_opened_in_named_formats_alone() -> None:
    """Pillow would start Ghostscript for a file that begins as PostScript, whatever it is called."""
    own = ("limpet/results/", "limpet/demo/")  # which read what they wrote themselves
    found = [
        (path, call.lineno)
        for path in (each.relative_to(ROOT).as_posix() for each in SOURCES)
        if not path.startswith(own) and "Image.open" in (text := (ROOT / path).read_text("utf-8"))
        for name, call in calls(ast.parse(text))
        if name == "Image.open" and "formats" not in {each.arg for each in call.keywords}
    ]
    assert found == [] and not {"EPS", "PDF", "WMF", "MIC", "FPX"} & set(picture_formats())


def test_no_socket_is_made_unless_somebody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was made")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "create_connection", refused)
    shots = tmp_path / "shots"
    shots.mkdir()
    for index, frame in enumerate(frames(3, 17, 33)):
        Image.fromarray(frame).save(shots / f"{index}.png")
    track(shots, mask_of(7, height=17, width=33), tmp_path / "out", tracker=small_tracker())
    write_masks(read_masks(tmp_path / "out"), tmp_path / "coco.json", "coco")
    project = Project.create(tmp_path / "job", make_video(tmp_path / "clip", 3))
    project.add(0, boxes((1, 2)))
    project.propagate(Repeats())
    write_masks(project_masks(project), tmp_path / "cvat.zip", "cvat-video")
    assert len(list(read_masks(tmp_path / "cvat.zip"))) == 3


def test_a_video_that_names_an_address_does_not_reach_it(tmp_path: Path) -> None:
    """FFmpeg has sockets of its own, which no test can replace; so somebody listens where they would lead."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        address = f"http://127.0.0.1:{port}/a.ts"
        texts = {
            "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n",
            "clip.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n",
            "concat.mkv": f"ffconcat version 1.0\nfile {address}\n",
            "dash.mpd": f'<?xml version="1.0"?><MPD type="static"><Period><BaseURL>{address}</BaseURL></Period></MPD>',
            "stream.sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n",
            "list.asx": f'<asx version="3.0"><entry><ref href="{address}"/></entry></asx>',
        }
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
            with pytest.raises(VideoError), open_video(tmp_path / name) as reader:
                list(reader.frames_from(0))
        assert select.select([listening], [], [], 0.05)[0] == []


def test_openvino_is_imported_without_its_reports() -> None:
    """In a process of its own, where nothing has imported it."""
    pytest.importorskip("openvino_telemetry", reason="this OpenVINO reports nothing")
    code = (
        "import multiprocessing.process as p, socket, sys\n"
        "def refused(*_, **__): print('REPORTED', flush=True)\n"
        "p.BaseProcess.start = socket.socket.connect = socket.getaddrinfo = refused\n"
        "import limpet.runtime.openvino_engine\n"
        "print('openvino_telemetry' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_packages_that_report_find_no_way_and_later_imports_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "openvino_telemetry", raising=False)
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    with without_telemetry(), pytest.raises(ImportError):
        import openvino_telemetry  # noqa: F401
    assert "openvino_telemetry" not in sys.modules
    import os

    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_markup_in_names_is_text(tmp_path: Path) -> None:
    report = example(source=MARKUP, model=MARKUP, command=MARKUP)
    report.notices.append(MARKUP)
    report.write(tmp_path)
    pages = [(tmp_path / "report.html").read_text(encoding="utf-8")]
    name = "<b onclick=alert(1)>"
    with Ledger(tmp_path / "batch") as ledger:
        ledger.end(name, "key", JobOutcome("failed", MARKUP, look_first=(MARKUP,)))
        write_summary(tmp_path / "batch", [BatchJob(MARKUP, MARKUP, name)], ledger, [MARKUP])
    pages.append((tmp_path / "batch" / "batch.html").read_text(encoding="utf-8"))
    assert "<b onclick" not in pages[1]
    for page in pages:
        assert "alert(1)" in page and "<script>alert" not in page and "<img src=x" not in page


def test_each_dependency_is_on_the_page_with_its_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = {re.split(r"[\[<>=~ ]", each)[0] for each in listed} - {"limpet"}
    rows = re.findall(
        r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE
    )
    assert {name for name, _, _ in rows} == names
    assert all(licence.strip() and purpose.strip() for _, licence, purpose in rows)


def test_the_sbom_names_what_is_installed() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from sbom import sbom
    finally:
        sys.path.pop(0)
    content = sbom()
    names = {each["name"]: each for each in content["components"]}
    assert (
        content["bomFormat"] == "CycloneDX"
        and {"torch", "numpy", "pillow", "av", "safetensors"} <= names.keys()
    )
    assert names["numpy"]["version"] == np.__version__ and all(each["licenses"] for each in names.values())
