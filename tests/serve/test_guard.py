"""Who is answered. Each test is a way in which a web site or a neighbour might try."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from limpet.serve.app import make_app
from limpet.serve.guard import MAX_JSON, TOKEN_HEADER, Guard
from limpet.serve.run_server import is_loopback
from limpet.serve.workbench import ServeConfig, Workbench

from .conftest import ADDRESS, TOKEN, Page


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "[::1", "192.168.0.7"]
)
def test_another_host_is_refused(page: Page, host: str) -> None:
    """DNS rebinding: a name of somebody else that leads to this machine."""
    answer = page.client.get("/api/state", headers={"Host": host})
    assert answer.status_code == 403 and "is not one of this server" in answer.json()["error"]


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:9000", "[::1]:8765", "LOCALHOST"])
def test_names_of_this_machine_are_answered(page: Page, host: str) -> None:
    assert page.client.get("/api/state", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8765"]
)
def test_another_origin_is_refused_even_with_the_token(page: Page, origin: str) -> None:
    for answer in (
        page.client.get("/api/state", headers={"Origin": origin}),
        page.client.post("/api/undo", json={}, headers={"Origin": origin}),
    ):
        assert answer.status_code == 403 and "only the server's own page may ask" in answer.json()["error"]


def test_rebinding_with_equal_host_and_origin_is_refused(page: Page) -> None:
    headers = {"Host": "evil.example", "Origin": "http://evil.example"}
    assert page.client.get("/api/state", headers=headers).status_code == 403


def test_the_own_origin_is_answered(page: Page) -> None:
    assert page.client.get("/api/state", headers={"Origin": ADDRESS}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/state", "/api/timeline", "/api/masks", "/api/events", "/mask/00.png", "/frame/x/0"]
)
@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x"])
def test_nothing_is_read_without_the_token(page: Page, path: str, token: str) -> None:
    answer = page.client.get(path, headers={TOKEN_HEADER: token})
    assert answer.status_code == 401 and "the token is missing or wrong" in answer.json()["error"]


def test_nothing_is_changed_without_the_token(page: Page) -> None:
    assert page.client.post("/api/undo", json={}, headers={TOKEN_HEADER: ""}).status_code == 401
    assert (
        page.client.post("/api/undo?token=" + TOKEN, json={}, headers={TOKEN_HEADER: ""}).status_code == 401
    )


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_command_that_is_not_json_is_refused(page: Page, kind: str) -> None:
    """A form of another site can send these without asking first."""
    answer = page.client.post("/api/undo", content=b"{}", headers={"Content-Type": kind})
    assert answer.status_code == 415 and "expected application/json" in answer.json()["error"]


def test_a_command_that_is_too_large_is_refused(page: Page) -> None:
    headers = {"Content-Type": "application/json"}
    stated = page.client.post(
        "/api/undo", content=b"x", headers=headers | {"Content-Length": str(MAX_JSON + 1)}
    )
    assert stated.status_code == 413

    def chunks() -> object:
        for _ in range(MAX_JSON // (1 << 20) + 2):
            yield b" " * (1 << 20)

    assert page.client.post("/api/undo", content=chunks(), headers=headers).status_code == 413


def test_every_answer_forbids_foreign_content_and_nothing_allows_other_sites(page: Page) -> None:
    for path, headers in (
        ("/", {}),
        ("/api/state", {}),
        ("/api/state", {TOKEN_HEADER: "wrong"}),
        ("/none", {}),
    ):
        answer = page.client.get(path, headers=headers)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self'; img-src 'self' blob:;") and "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_the_question_before_a_foreign_request_gets_no_permission(page: Page) -> None:
    answer = page.client.options(
        "/api/undo", headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_the_page_itself_needs_no_token_and_has_none(page: Page) -> None:
    answer = page.client.get("/", headers={TOKEN_HEADER: ""})
    assert answer.status_code == 200 and TOKEN not in answer.text
    assert page.client.get("/../guard.py").status_code == 404
    assert page.client.get("/%2e%2e/guard.py").status_code == 404


@pytest.mark.parametrize("path", ["/etc", "../..", "~", "job/../../.."])
def test_a_page_opens_nothing_outside_of_the_roots(page: Page, path: str) -> None:
    assert "lies outside of the folders" in page.refused("open", {"path": path}, 403)
    assert "lies outside of the folders" in page.refused("open", {"path": "clip", "project": path}, 403)


def test_a_link_does_not_lead_outside(page: Page) -> None:
    (page.folder.parent / "link").symlink_to("/etc")
    assert "lies outside of the folders" in page.refused("open", {"path": "link"}, 403)


def test_a_server_for_other_machines_still_needs_the_token_and_a_name_of_its_own() -> None:
    app = make_app(Workbench(ServeConfig()), TOKEN, ("localhost", "box.lan"), any_address=True)
    client = TestClient(app, raise_server_exceptions=False)
    for host in ("192.168.0.7:8765", "box.lan", "localhost", "[fe80::1]:8765"):
        assert client.get("/api/state", headers={"Host": host}).status_code == 401
        assert client.get("/api/state", headers={"Host": host, TOKEN_HEADER: TOKEN}).status_code == 200
    assert client.get("/api/state", headers={"Host": "evil.example", TOKEN_HEADER: TOKEN}).status_code == 403


def test_which_addresses_only_this_machine_reaches() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "192.168.0.7", "box.lan")] == [False] * 4


@pytest.mark.parametrize("path", ["9" * 300, "9" * 5000, "a/" * 3000, "~nobody of this name", "\u0000"])
def test_paths_that_no_file_can_have_are_told(page: Page, path: str) -> None:
    page.refused("open", {"path": path})


def test_an_address_that_is_not_ascii_is_refused() -> None:
    scope = {"type": "http", "path": "/api/state", "query_string": b"a=\xff", "headers": []}
    refusal = Guard(make_app(Workbench(ServeConfig()), TOKEN), TOKEN)._refusal(scope, Headers())
    assert refusal is not None and refusal.status_code == 400 and b"not ASCII" in refusal.body


@pytest.mark.parametrize("length", ["\u00b2", "9" * 5000, "-1", "1e3"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    headers = Headers({"content-type": "application/json", "content-length": length})
    refusal = Guard(make_app(Workbench(ServeConfig()), TOKEN), TOKEN)._wrong_body("/api/lock", headers)
    assert refusal is not None and refusal.status_code == 413
