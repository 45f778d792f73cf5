"""Disks that fail, fill up or are slow while a run writes: a sentence, no torn file; --resume gives the same bytes."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limpet.core.errors import LimpetError
from limpet.core.masks import decode_mask
from limpet.results.run_folder import is_unfinished

from .killed import COUNT, Run, content


class FailingDisk:
    """Lets so many writes through; then every one fails."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.left, self.code, self.delay = 1 << 30, errno.EIO, 0.0
        self._folder = folder
        for name in ("write_bytes", "write_text", "replace"):
            patch.setattr(Path, name, self._checked(getattr(Path, name)))

    def _checked(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, *rest: Any, **more: Any) -> Any:
            if self._folder in path.parents:
                time.sleep(self.delay)
                self.left -= 1
                if self.left < 0:
                    raise OSError(self.code, "the disk does not work", str(path))
            return original(path, *rest, **more)

        return call


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FailingDisk]:
    with pytest.MonkeyPatch.context() as patch:
        yield FailingDisk(patch, tmp_path / "out")


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("writes", [0, 1, 2, 5, 9, 14, 20, 27])
def test_a_disk_that_fails_at_any_write(
    run: Run, undisturbed: dict[str, bytes], disk: FailingDisk, tmp_path: Path, code: int, writes: int
) -> None:
    disk.left, disk.code = writes, code
    out = tmp_path / "out"
    with pytest.raises(
        LimpetError, match=r"cannot write .*(the disk does not work|no space left on the disk)"
    ):
        run(out)
    disk.left = 1 << 30
    for path in out.rglob("*.png"):
        if path.parent.name == "masks":
            assert decode_mask(path.read_bytes()).shape, "no torn mask"
    report = out / "report.json"
    assert not report.exists() or json.loads(report.read_text())["complete"] is False
    again = {"resume": True} if is_unfinished(out) else {"overwrite": True}
    assert run(out, **again).frames == COUNT
    assert content(out) == undisturbed


def test_a_slow_disk_changes_nothing(
    run: Run, undisturbed: dict[str, bytes], disk: FailingDisk, tmp_path: Path
) -> None:
    disk.delay = 0.01
    assert run(tmp_path / "out").frames == COUNT
    assert content(tmp_path / "out") == undisturbed


def test_clocks_that_jump_change_nothing(
    run: Run, undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of day goes back by a day and ahead by a year, as after the network set it."""
    jumps = np.random.default_rng(0).choice([-86_400.0, 0.0, 3e7], 10_000)
    real, count = time.time, iter(jumps)
    monkeypatch.setattr(time, "time", lambda: real() + next(count))
    assert run(tmp_path / "out").frames == COUNT
    assert content(tmp_path / "out") == undisturbed
