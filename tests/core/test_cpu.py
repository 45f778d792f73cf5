"""The setting that keeps freed memory must be harmless, wherever and however often it is called."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from limpet.core import cpu
from limpet.core.cpu import keep_freed_memory


def test_it_says_whether_it_took_effect_and_can_be_repeated() -> None:
    first, second = keep_freed_memory(), keep_freed_memory()
    assert isinstance(first, bool) and first == second
    ones = torch.ones(1 << 20)
    del ones
    assert torch.ones(1 << 20).sum() == 1 << 20, "memory that is used again starts afresh"


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a library was opened")

    monkeypatch.setattr("ctypes.CDLL", refuse)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> None:
        raise OSError("libc.so.6: cannot open shared object file")

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("ctypes.CDLL", absent)
    assert keep_freed_memory() is False


def test_threads_sleep_soon_unless_the_user_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has to come before torch, which this process has already."""
    found: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", found)
    assert not cpu.let_waiting_threads_sleep() and found == {}
    monkeypatch.delitem(sys.modules, "torch")
    assert cpu.let_waiting_threads_sleep() and found == {"GOMP_SPINCOUNT": cpu.SPIN_COUNT}
    for own in ({"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"}):
        found.clear()
        found.update(own)
        assert not cpu.let_waiting_threads_sleep() and found == own


def test_the_package_sets_it_on_import() -> None:
    plain = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    code = "import limpet, os; print(os.environ['GOMP_SPINCOUNT'])"
    found = subprocess.run(
        [sys.executable, "-c", code], env=plain, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == cpu.SPIN_COUNT
