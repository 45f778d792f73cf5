"""Two machines train together: each is a process that torchrun started, here on one machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest
from cli.command import PROGRAM

from limpet.training.loop import machines_and_processes
from limpet.weights.weights_file import read_weights

from .tiny import make_stills

COMMAND = (
    *(
        "train",
        "--out",
        "run",
        "--stills",
        "stills",
        "--model",
        "deaot-nano",
        "--device",
        "cpu",
        "--threads",
        "1",
    ),
    *("--steps", "2", "--batch", "1", "--frames", "2", "--size", "65", "--log-every", "1", "--workers", "0"),
    *("--precision", "32-true"),
)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def torchrun(rank: int, machines: int, port: int) -> dict[str, str]:
    """What torchrun tells each process, of one per machine."""
    return {
        "RANK": str(rank), "LOCAL_RANK": "0", "GROUP_RANK": str(rank), "ROLE_RANK": str(rank),
        "WORLD_SIZE": str(machines), "LOCAL_WORLD_SIZE": "1", "ROLE_WORLD_SIZE": str(machines),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test",
        "TORCHELASTIC_RESTART_COUNT": "0", "TORCHELASTIC_MAX_RESTARTS": "0",
    }  # fmt: skip


def test_machines_are_those_of_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machines_and_processes(4) == (1, 4)
    for name, value in (torchrun(0, 8, 1) | {"LOCAL_WORLD_SIZE": "4"}).items():
        monkeypatch.setenv(name, value)
    assert machines_and_processes(1) == (2, 4)


def test_two_machines_make_one_set_of_weights(tmp_path: Path) -> None:
    make_stills(tmp_path / "stills")
    port = free_port()
    own = {name: value for name, value in os.environ.items() if name != "LOCAL_RANK"} | {
        "OMP_NUM_THREADS": "1"
    }
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(
            [*PROGRAM, *COMMAND],
            cwd=tmp_path,
            env=own | torchrun(rank, 2, port),
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        for rank in (0, 1)
    ]
    said = [process.communicate(timeout=110) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert "run/weights.safetensors" in said[0][0] and said[1][0] == "", "the first one writes"
    assert read_weights(tmp_path / "run/weights.safetensors").model == "deaot-nano"
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1], "one process keeps the log"
