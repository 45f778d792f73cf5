"""Files appear whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from limpet.core.errors import OutputError
from limpet.core.files import atomic_path


def test_success_replaces(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with atomic_path(target) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".txt" and temporary != target
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new" and list(tmp_path.iterdir()) == [target]


def test_a_sole_writer_removes_what_killed_ones_left(tmp_path: Path) -> None:
    target, others = (
        tmp_path / "a[1].txt",
        [".b.01234567.tmp.txt", ".a[1].0123.tmp.txt", ".a1.01234567.tmp.txt"],
    )
    for name in (".a[1].01234567.tmp.txt", *others):
        (tmp_path / name).write_text("half")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
    assert len(list(tmp_path.iterdir())) == 5, "it may be another's that is being written"
    with atomic_path(target, sole_writer=True) as temporary:
        temporary.write_text("newer")
    assert {path.name for path in tmp_path.iterdir()} == {target.name, *others}
    assert target.read_text() == "newer"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_failure_leaves_the_old_file(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(failure), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise failure
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "no space left on the disk; free some"),
        (errno.EACCES, "no permission to write there"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_os_errors_say_what_and_where(tmp_path: Path, number: int, message: str) -> None:
    with (
        pytest.raises(OutputError, match=f"cannot write .*a.txt: {message}"),
        atomic_path(tmp_path / "a.txt"),
    ):
        raise OSError(number, "Input/output error")


def test_path_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match="is a file, not a folder"),
        atomic_path(tmp_path / "file" / "a") as path,
    ):
        path.write_text("x")


def test_a_full_disk(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(OutputError, match="no space left"), atomic_path(tmp_path / "a.txt"):
        full.write_bytes(b"x")
