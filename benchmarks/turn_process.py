"""A process that works only when it is its turn: it gets a line, and answers with one line of JSON."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class TurnProcess:
    """Started at once; between its turns it sleeps.

    Args:
        name: for the message when it has ended.
        command: what to run.
        threads: of its libraries.
        environment: variables beside those of this process. folder: where it is started.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        threads: int,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._name = name
        own = {
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": "passive",  # the process whose turn it is not must not spin
        }
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder,
            env={**os.environ, **(environment or {}), **own},
        )  # fmt: skip

    def ask(self, line: object) -> dict[str, Any]:
        """Give it a line, and wait for its answer. Raises SystemExit if it has ended."""
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Its next line. Raises SystemExit if it has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._name} has ended; its error is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # it ends when there is nothing more to read
        self._process.wait()
