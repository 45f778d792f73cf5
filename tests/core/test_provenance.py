"""Where numbers come from: the commit of the checkout, and the processor."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from limpet.core import provenance
from limpet.core.provenance import command_line, commit, cpu_info, cpu_model, machine


def test_the_commit_is_that_of_the_checkout() -> None:
    root = Path(provenance.__file__).parents[2]
    if not (root / ".git").exists():
        pytest.skip("limpet does not run from a checkout")
    head = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )
    found = commit()
    assert found is not None and head.stdout.startswith(found.removesuffix(" + changes")) and len(found) >= 10


def test_no_commit_outside_of_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "limpet" / "core" / "provenance.py"))
    assert commit() is None


def test_the_processor_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nmodel name\t: Fast: 9000\nflags\t\t: avx2\n\nmodel name\t: Fast: 9000\n")
    monkeypatch.setattr(provenance, "CPU_INFO", path)
    assert cpu_model() == "Fast: 9000" and cpu_info("model name") == ["Fast: 9000"] * 2
    assert cpu_info("flags") == ["avx2"] and machine().startswith("Fast: 9000, ")
    monkeypatch.setattr(provenance, "CPU_INFO", tmp_path / "none")
    monkeypatch.setattr(provenance.platform, "processor", lambda: "")
    monkeypatch.setattr(provenance.platform, "machine", lambda: "riscv64")
    assert cpu_info("flags") == [] and cpu_model() == "riscv64"


@pytest.mark.parametrize(
    "argv, expected",
    [
        (["/usr/bin/limpet", "train", "--out", "my run"], "limpet train --out 'my run'"),
        (["limpet.exe", "demo"], "limpet demo"),
        (["/home/me/my_study.py", "5"], "python my_study.py 5"),
    ],
)
def test_the_command_is_named_for_what_it_is(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], expected: str
) -> None:
    monkeypatch.setattr("sys.argv", argv)
    assert command_line() == expected
