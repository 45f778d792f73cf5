"""What all tests share: where the reference material lies, and quiet, repeatable torch."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from limpet.training.monitor import draw_curves

ROOT = Path(__file__).resolve().parents[1]
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost", "0.0.0.0")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: Any, log: Any) -> Any:
    if config.getvalue("dist") != "loadfile":
        return None
    from work_units import UnitScheduling

    config.option.loadscopereorder = False
    return UnitScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        from work_units import rank

        items.sort(key=lambda item: rank(item.nodeid))


def pytest_collection_finish() -> None:
    """What libraries made when they were imported stays: not to look through it saves a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(autouse=True)
def _repeatable() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Nothing in the whole suite asks for another machine, by its address or by its name."""
    connect, lookup = socket.socket.connect, socket.getaddrinfo

    def connected(self: socket.socket, address: Any) -> None:
        if self.family != getattr(socket, "AF_UNIX", None) and address[0] not in _THIS_MACHINE:
            raise AssertionError(
                f"a connection to {address}: nothing may use the network unless it is asked to"
            )
        connect(self, address)

    def looked_up(host: Any, *more: Any, **named: Any) -> Any:
        if host not in (None, "", *_THIS_MACHINE) and not str(host).startswith("127."):
            raise socket.gaierror(f"the name {host!r} is not looked up in tests")
        return lookup(host, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connected)
        patch.setattr(socket, "getaddrinfo", looked_up)
        yield


@pytest.fixture(scope="session", autouse=True)
def _curves_are_empty() -> Iterator[None]:
    """A picture of curves takes longer than a run of a few steps: an empty file stands for it."""

    def touch(log: Path, picture: Path) -> None:
        if log.exists():
            picture.touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("limpet.training.monitor.draw_curves", touch)
        yield


@pytest.fixture
def curves_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test that looks at the curves of a run."""
    monkeypatch.setattr("limpet.training.monitor.draw_curves", draw_curves)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference outputs and data beside the checkout (or at $LIMPET_SHARED); skips without it."""
    folder = Path(os.environ.get("LIMPET_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the reference material in {folder}, which is not here")
    return folder
