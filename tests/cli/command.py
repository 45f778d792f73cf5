"""Runs commands as a person would, in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

import pytest
import typer
from typer.core import TyperGroup

from limpet.cli.main import app

PROGRAM = [
    sys.executable,
    "-c",
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT]); sys.argv[0] = 'limpet'; "
    "from limpet.cli.main import main; main()",
]


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it said."""

    code: int
    out: str
    err: str

    def refused(self, *words: str) -> None:
        """Assert that bad input was told in one sentence that holds ``words``, with exit code 2."""
        assert self.code == 2, (self.code, self.out, self.err)
        assert self.err.startswith("error: ") and self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        for word in words:
            assert word in self.err, f"{word!r} is not in {self.err!r}"

    def succeeded(self) -> None:
        assert self.code == 0, (self.code, self.out, self.err)


@cache
def program() -> TyperGroup:
    """All commands, made once: typer makes them anew whenever the app is called."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


class Limpet:
    """``limpet("track", clip, "--mask", mask)`` in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: object) -> Outcome:
        self._capture.readouterr()
        words = [str(argument) for argument in arguments]
        with pytest.MonkeyPatch.context() as process, pytest.raises(SystemExit) as end:
            process.setattr("sys.argv", ["limpet", *words])  # as the program itself finds it
            program()(words, prog_name="limpet")
        said = self._capture.readouterr()
        assert isinstance(end.value.code, int)
        return Outcome(end.value.code, said.out, said.err)


def start(
    *arguments: object, cwd: Path | None = None, before: str = "", stdin: IO[str] | None = None
) -> subprocess.Popen[str]:
    """The command in a process of its own, its output in pipes; ``before`` is Python code that it begins with."""
    *python, code = PROGRAM
    command = [*python, f"{before}\n{code}", *map(str, arguments)]
    settings = os.environ | {"OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, env=settings, stdin=stdin, stdout=pipe, stderr=pipe, text=True)


def finish(process: subprocess.Popen[str], timeout: float = 100) -> Outcome:
    """Wait for its end."""
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        process.kill()
    return Outcome(process.returncode, out, err)
