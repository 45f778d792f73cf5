"""The command as a whole: help, usage errors, and what becomes of an exception."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
import torch
import typer

from limpet import __version__
from limpet.cli import main
from limpet.cli.options import RENAMED_OPTIONS

from .command import Limpet, finish, program, start


def names_of(group: typer.core.TyperGroup) -> list[str]:
    """All commands, those in groups too: "track", "eval davis" …"""
    return [
        f"{name} {inner}".rstrip()
        for name, command in group.commands.items()
        for inner in getattr(command, "commands", [""])
    ]


COMMANDS = names_of(program())


def test_version(limpet: Limpet) -> None:
    outcome = limpet("--version")
    outcome.succeeded()
    assert outcome.out == f"limpet {__version__}\n"


def test_help_lists_every_command(limpet: Limpet) -> None:
    outcome = limpet("--help")
    outcome.succeeded()
    first, *_ = outcome.out.split("Options")
    assert "semi-supervised video object segmentation" in " ".join(first.split()).lower()
    rows = outcome.out.partition(" Commands ")[2].splitlines()[1:-2]
    named = [row.removeprefix("│ ").split()[0] for row in rows]
    assert named == list(dict.fromkeys(command.split()[0] for command in COMMANDS)), "one line for each"
    assert {"track", "distill", "eval", "project"} <= set(named)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_commands(limpet: Limpet, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    outcome = limpet(*command.split(), "--help")
    outcome.succeeded()
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert "[default: None]" not in outcome.out
    assert not re.search(r"--.*list\[", outcome.out)
    assert not re.search(r"-[a-z]*…", outcome.out), "an option is cut off"


def test_the_installed_command_is_this_one() -> None:
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="limpet")
    assert script.load() is main.main


def test_no_command_shows_the_help(limpet: Limpet) -> None:
    outcome = limpet()
    assert outcome.code == 2 and " Commands " in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("trakc",), "No such command 'trakc'. Did you mean 'track'"),
        (("--verison",), "No such option: --verison"),
        (("track",), "Missing argument 'VIDEO': A video file, a folder of images"),
        (("track", "clip.mp4"), "there is no mask to begin with; give that of the first frame as --mask"),
        (("track", "clip.mp4", "--mask", "m.png", "--maks"), "No such option: --maks"),
        (("frame", "clip.mp4"), "Missing option '--out'"),
        (("export",), "Missing option '--to': Format: onnx, openvino, litert, coreml or torch"),
        (("project", "add", "job"), "Missing argument 'FRAME'"),
        (("track", "clip.mp4", "--mask", "m.png", "--max-size", "8"), "Invalid value for '--max-size'"),
        (("track", "clip.mp4", "--mask", "m.png", "--max-size", "large"), "Invalid value for '--max-size'"),
        (("eval", "check", "a.zip"), "Missing argument 'DATASET'"),
        (("train",), "Missing option '--out'"),
        (("weights", "convert"), "Missing argument 'CHECKPOINT'"),
    ],
)
def test_usage_errors(limpet: Limpet, arguments: tuple[str, ...], words: str) -> None:
    limpet(*arguments).refused(words, "; see: limpet", " --help")


@pytest.mark.parametrize("old", RENAMED_OPTIONS)
def test_options_that_were_renamed_are_answered_with_their_new_name(limpet: Limpet, old: str) -> None:
    limpet("distill", "--out", "run", old, 1).refused(f"{old} is now called {RENAMED_OPTIONS[old]}")
    names = {name for parameter in program().commands["train"].params for name in parameter.opts}
    assert old not in names


def fail_with(monkeypatch: pytest.MonkeyPatch, problem: BaseException) -> None:
    """Let `limpet models` raise ``problem``."""

    def fail() -> None:
        raise problem

    monkeypatch.setattr("limpet.registry.entries", fail)


@pytest.mark.parametrize(
    "problem",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
    ],
)
def test_out_of_memory(limpet: Limpet, monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    fail_with(monkeypatch, problem)
    limpet("models").refused("there is not enough memory; reduce --max-size (in training: --size")


def test_the_disk_where_nobody_expected_it(limpet: Limpet, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "log.jsonl"))
    limpet("models").refused("cannot write log.jsonl: no space left on the disk")
    fail_with(monkeypatch, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    limpet("models").refused("cannot write a file: no space left on the disk")


@pytest.mark.parametrize("problem", [RuntimeError("shapes differ"), FileNotFoundError(2, "none", "x")])
def test_our_own_mistakes_keep_their_traceback(monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    fail_with(monkeypatch, problem)
    with pytest.raises(type(problem)):
        main.app(["models"], prog_name="limpet")


def test_ctrl_c(limpet: Limpet, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, KeyboardInterrupt())
    outcome = limpet("models")
    assert (outcome.code, outcome.err) == (130, "note: stopped\n")


def test_a_closed_pipe_is_no_drama(tmp_path: Path) -> None:
    """As in `limpet --help | head -1`."""
    process = start("--help", cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    outcome = finish(process)
    assert "Traceback" not in outcome.err and outcome.code in (0, 1)


def test_the_program_runs_as_a_process() -> None:
    outcome = finish(start("--version"))
    assert (outcome.code, outcome.out, outcome.err) == (0, f"limpet {__version__}\n", "")
