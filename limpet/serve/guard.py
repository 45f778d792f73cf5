"""Who may talk to the server: this machine's own page, and nobody else that its browser happens to show.

A web site that is open in the same browser can send requests to any address, also under a name of its own that it lets
point to this machine (DNS rebinding). Such requests carry another Host or Origin, and never the token.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_HEADER = "X-Limpet-Token"
UPLOAD = "/api/upload"
PROTECTED = ("/api", "/frame/", "/mask/")
MAX_JSON = 16 << 20
"""Bytes of a command: a mask of 8K as base64 has less."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class _BodyTooLargeError(Exception):
    pass


class Guard:
    """Middleware that answers nobody but the page.

    Args:
        token: what every request for data has to carry in ``TOKEN_HEADER``.
        hosts: names that the server is called by, without port.
        any_address: accept every numerical address as a name too, for servers that other machines reach.
        max_upload: bytes of an uploaded video.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str,
        hosts: Collection[str] = LOOPBACK,
        any_address: bool = False,
        max_upload: int = 16 << 30,
    ) -> None:
        self._app, self._token, self._max_upload = app, token, max_upload
        self._hosts, self._any_address = frozenset(name.lower() for name in hosts), any_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, sending)
            return
        most = self._max_upload if scope["path"] == UPLOAD else MAX_JSON
        try:
            await self._app(scope, _limited(receive, most), sending)
        except _BodyTooLargeError:
            if not started:
                await _too_large(most)(scope, receive, sending)

    def _refusal(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        if not scope.get("query_string", b"").isascii():
            return _refuse(400, "the address has characters that are not ASCII; write them as %XX")
        host = headers.get("host", "")
        if not self._is_ours(host):
            return _refuse(
                403, f"the host {host[:100]!r} is not one of this server; open the printed address"
            )
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return _refuse(
                403, f"requests from {origin[:100]!r} are refused; only the server's own page may ask"
            )
        if not scope["path"].startswith(PROTECTED):
            return None
        if not hmac.compare_digest(headers.get(TOKEN_HEADER, "").encode(), self._token.encode()):
            return _refuse(
                401,
                "the token is missing or wrong; open the address that limpet serve printed, with its #token=…",
            )
        if scope["method"] not in ("GET", "HEAD"):
            return self._wrong_body(scope["path"], headers)
        return None

    def _wrong_body(self, path: str, headers: Headers) -> JSONResponse | None:
        expected = "multipart/form-data" if path == UPLOAD else "application/json"
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != expected:
            return _refuse(415, f"the content type is {kind[:100]!r}; expected {expected}")
        most = self._max_upload if path == UPLOAD else MAX_JSON
        stated = headers.get("content-length", "0")
        is_number = stated.isascii() and stated.isdigit() and len(stated) < 19
        return None if is_number and int(stated) <= most else _too_large(most)

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._hosts or (self._any_address and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _limited(receive: Receive, most: int) -> Receive:
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise _BodyTooLargeError
        return message

    return limited


def _too_large(most: int) -> JSONResponse:
    return _refuse(413, f"the request is too large; at most {most / 1e6:.0f} MB are taken")


def _refuse(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)
