"""Workers that are forked instead of started, since importing torch takes longer than what a worker is killed at.

``fork_workers`` is called once in a process that has imported torch and has no threads yet. Whatever it then starts
with ``subprocess.Popen`` as ``python -m limpet…`` is forked from a copy of that process, with the same pipes, arguments
and environment. It does what the real process does, and outlives the one that started it in the same way.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from select import select
from typing import IO, Any

_LONGEST = 1 << 17
_OWN = subprocess.Popen


def fork_workers() -> None:
    """From now on, ``subprocess.Popen`` forks what would be ``python -m limpet…``."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork():
        theirs.close()
        Forked.source = ours
        subprocess.Popen = _popen  # type: ignore[misc, assignment]
        return
    ours.close()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        request, files, _, _ = socket.recv_fds(theirs, _LONGEST, 16)
        if not request:
            os._exit(0)
        pid = os.fork()
        if pid:
            theirs.send(str(pid).encode())
            for file in files:
                os.close(file)
            continue
        theirs.close()
        _be(json.loads(request), files)


def _be(request: Any, files: list[int]) -> None:
    """Become the worker: with these files as standard input, output and error; more of them are only kept open."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for place in range(3):
        os.dup2(files[place], place)
        os.close(files[place])
    sys.stdin, sys.stdout, sys.stderr = (open(k, "w" if k else "r", closefd=False) for k in range(3))  # noqa: SIM115
    os.environ.update(request["environment"])
    module, *arguments = request["arguments"]
    sys.argv = [module, *arguments]
    try:
        importlib.import_module(module).main()
    finally:
        os._exit(0)


class Forked:
    """What limpet uses of ``subprocess.Popen``. How a process ended is not known: it counts as killed."""

    source: socket.socket

    def __init__(self, command: Sequence[str], environment: dict[str, str], error: Any, kept: Any) -> None:
        (read, stdin), (stdout, write) = os.pipe(), os.pipe()
        request = {"arguments": command[command.index("-m") + 1 :], "environment": environment}
        files = [read, write, 2 if error is None else error.fileno(), *kept]
        socket.send_fds(self.source, [json.dumps(request).encode()], files)
        self.pid = int(self.source.recv(100))
        self._end = os.pidfd_open(self.pid)
        os.close(read)
        os.close(write)
        self.stdin: IO[str] = open(stdin, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        self.stdout: IO[str] = open(stdout, encoding="utf-8")  # noqa: PTH123, SIM115

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if not select([self._end], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("the worker", timeout or 0.0)
        return -signal.SIGKILL

    def poll(self) -> int | None:
        """None while it lives."""
        return -signal.SIGKILL if select([self._end], [], [], 0)[0] else None

    def kill(self) -> None:
        """SIGKILL."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _popen(command: Any, *arguments: Any, **options: Any) -> Any:
    if "-m" not in command or not command[list(command).index("-m") + 1].startswith("limpet"):
        return _OWN(command, *arguments, **options)
    return Forked(list(command), dict(options["env"]), options.get("stderr"), options.get("pass_fds", ()))
