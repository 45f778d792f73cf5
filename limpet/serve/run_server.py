"""Runs the server until Ctrl-C."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import uvicorn

from limpet.core.errors import LimpetError
from limpet.serve.app import make_app
from limpet.serve.guard import LOOPBACK
from limpet.serve.workbench import Workbench

_GRACE_SECONDS = 3


class AddressError(LimpetError):
    """An address or a port that cannot be listened at."""


@dataclass(frozen=True)
class Listening:
    """address: of the page, with its token. loopback: whether only this machine reaches it."""

    address: str
    loopback: bool


def run_server(
    bench: Workbench, host: str, port: int, started: Callable[[Listening], None], token: str | None = None
) -> None:
    """Serve until Ctrl-C or SIGTERM; then all is kept.

    Args:
        host: address to listen at.
        port: 0 takes a free one.
        started: called once when the page can be opened.
        token: None makes a new one.

    Raises:
        AddressError: the address cannot be used.
    """
    token = token or secrets.token_urlsafe(24)
    listener = _listen(host, port)
    loopback = is_loopback(host)
    hosts = LOOPBACK if loopback else (*LOOPBACK, host, socket.gethostname(), socket.getfqdn())
    app = make_app(bench, token, hosts, any_address=not loopback)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="on",
        timeout_graceful_shutdown=_GRACE_SECONDS, ws="none",
    )  # fmt: skip
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host
    where = f"[{name}]" if ":" in name else name
    shown = Listening(f"http://{where}:{listener.getsockname()[1]}/#token={token}", loopback)
    server = _Server(config, lambda: started(shown), bench)
    with suppress(KeyboardInterrupt):  # uvicorn raises it again after its orderly end
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None], bench: Workbench) -> None:
        super().__init__(config)
        self._tell, self._bench = started, bench

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._bench.hub.close()
        await super().shutdown(sockets)


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AddressError(
            f"{host}:{port} cannot be listened at ({error.strerror or error}); choose another --port, or 0 for any"
        ) from error
    return listener
