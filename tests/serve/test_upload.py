"""Opening and uploading: what becomes of a video, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from limpet.project import Project
from limpet.serve import upload
from limpet.serve.app import make_app
from limpet.serve.guard import TOKEN_HEADER
from limpet.serve.upload import UPLOADS, safe_name

from .conftest import ADDRESS, TOKEN, Page, make_video


def picture(size: tuple[int, int] = (20, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((*size, 3), 77, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def send(page: Page, data: bytes, name: str = "clip.png") -> tuple[int, dict[str, object]]:
    answer = page.client.post("/api/upload", files={"file": (name, data, "image/png")})
    return answer.status_code, answer.json()


def left(page: Page) -> list[str]:
    folder = page.folder.parent / UPLOADS
    return sorted(str(path.relative_to(folder)) for path in folder.iterdir()) if folder.is_dir() else []


def test_a_video_is_kept_and_its_project_is_open(page: Page) -> None:
    status, answer = send(page, picture())
    assert status == 200 and "clip-project is open" in str(answer["message"])
    state = page.get("/api/state")["project"]
    assert (state["name"], state["video"]["width"], state["video"]["frames"]) == ("clip-project", 30, 1)
    assert left(page) == ["clip-project", "clip.png"]
    assert (page.folder.parent / UPLOADS / "clip.png").read_bytes() == picture()
    assert page.pixels(0)[0, 0].tolist() == [77, 77, 77]
    assert send(page, picture((20, 32)))[0] == 200
    assert left(page) == ["clip-2-project", "clip-2.png", "clip-project", "clip.png"]


@pytest.mark.parametrize(
    "name", ["../../outside.png", "/etc/outside.png", "..\\..\\outside.png", "\x00outside.png"]
)
def test_a_name_leads_nowhere_else(page: Page, name: str) -> None:
    before = sorted(page.folder.parent.iterdir())
    assert send(page, picture(), name)[0] in (200, 400)
    new = [path.name for path in sorted(page.folder.parent.iterdir()) if path not in before]
    assert new in ([], [UPLOADS]) and all("outside" in name for name in left(page))


def test_what_is_not_a_video_leaves_nothing(page: Page) -> None:
    status, answer = send(page, b"hello", "clip.mp4")
    assert status == 400 and "is not a readable video" in str(answer["error"])
    assert left(page) == [] and page.get("/api/state")["project"]["name"] == "job", "what was open stays open"


def test_too_many_pixels_leave_nothing(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "MAX_PIXELS", 500)
    status, answer = send(page, picture())
    assert status == 413 and "the video has 30x20 pixels; at most 500 are taken" in str(answer["error"])
    assert left(page) == []


def test_too_many_bytes_leave_nothing(page: Page) -> None:
    app = make_app(page.bench, TOKEN, max_upload=3000)
    client = TestClient(app, ADDRESS, headers={TOKEN_HEADER: TOKEN}, raise_server_exceptions=False)
    stated = client.post("/api/upload", files={"file": ("clip.mp4", b"x" * 4000)})
    assert stated.status_code == 413 and left(page) == []
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="clip.mp4"\r\n\r\n'

    def chunks() -> object:
        yield head
        for _ in range(5):
            yield b"x" * 1000

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert client.post("/api/upload", content=chunks(), headers=kind).status_code == 413
    assert left(page) == []


@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        (b"", "multipart/form-data", "names no boundary"),
        (b"", "multipart/form-data; boundary=b", "the form has no whole file"),
        (b"hello", "multipart/form-data; boundary=b", "the form cannot be read"),
        (b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--b--\r\n',
         "multipart/form-data; boundary=b", "the form has no whole file"),
        (b'--b\r\nContent-Disposition: form-data; filename="a.png"\r\n\r\n1',
         "multipart/form-data; boundary=b", "the form has no whole file"),
        (b"--b\r\n" + b"x" * 5000, "multipart/form-data; boundary=b", "form"),
    ],
)  # fmt: skip
def test_what_is_not_a_form_is_a_sentence(page: Page, body: bytes, kind: str, sentence: str) -> None:
    answer = page.client.post("/api/upload", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400 and sentence in answer.json()["error"]
    assert left(page) == []


def test_an_upload_needs_the_token(page: Page) -> None:
    answer = page.client.post("/api/upload", files={"file": ("a.png", picture())}, headers={TOKEN_HEADER: ""})
    assert answer.status_code == 401 and left(page) == []


def test_names_are_made_safe() -> None:
    assert safe_name("a/b\\c.mp4") == "c.mp4" and safe_name("<img src=x>.webm") == "_img src_x_.webm"
    assert safe_name(".hidden") == "hidden" and len(safe_name("x" * 500 + ".mp4")) == 104


def test_a_video_gets_a_project_beside_it_and_gets_the_same_again(page: Page) -> None:
    root = page.folder.parent
    make_video(root / "other")
    page.post("open", {"path": str(root / "other")})
    assert page.get("/api/state")["project"]["path"] == str(root / "other-project")
    page.post("open", {"path": "other", "project": "named"})
    assert Project.open(root / "named").frame_count == 10
    page.post("open", {"path": "job"})
    page.post("open", {"path": "other"})
    assert page.get("/api/state")["project"]["name"] == "other-project"


def test_a_project_of_another_video_is_refused(page: Page) -> None:
    make_video(page.folder.parent / "other", 3)
    assert "is the project of another video" in page.refused("open", {"path": "other", "project": "job"})
    assert "does not exist" in page.refused("open", {"path": "nothing.mp4"})
    assert page.get("/api/state")["project"]["name"] == "job"


def test_without_a_project_the_page_can_still_ask(tmp_path: Path) -> None:
    from limpet.serve.workbench import ServeConfig, Workbench

    client = TestClient(
        make_app(Workbench(ServeConfig((tmp_path,))), TOKEN), ADDRESS, headers={TOKEN_HEADER: TOKEN}
    )
    state = client.get("/api/state").json()
    assert state["project"] is None and state["folder_browsing"] and "deaot-nano" in state["models"]
    for path in ("/api/timeline", "/api/masks", "/frame/x/0", "/mask/00.png"):
        answer = client.get(path)
        assert answer.status_code in (404, 409) and answer.json()["error"]
    assert client.post("/api/undo", json={}).json()["error"].startswith("no project is open")
