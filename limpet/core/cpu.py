"""The process on a CPU: settings that make torch faster without changing results, and what a fork breaks."""

from __future__ import annotations

import ctypes
import os
import sys

from limpet.core.errors import ModelError

# mallopt's parameters, from glibc's malloc.h
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_ONE_GIB = 1 << 30
SPIN_COUNT = "1000"
"""How often a thread of GNU OpenMP looks whether there is work before it sleeps (docs/performance.md)."""
_WAITING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
_fork = {"watched": False, "happened": False}


def keep_freed_memory(pad: int = 64 << 20) -> bool:
    """Tell glibc to keep large freed buffers for the next request instead of giving them back to the kernel.

    Torch frees and requests the same buffers at every frame; mapping and zeroing their pages again takes up to half of
    the time of a step. Peak memory is unchanged, but less of it is returned in between.

    Returns:
        True where it took effect; False on systems without glibc, where nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_MMAP_THRESHOLD, _ONE_GIB), (_TRIM_THRESHOLD, _ONE_GIB), (_TOP_PAD, pad))
    return all(mallopt(parameter, value) == 1 for parameter, value in settings)


def let_waiting_threads_sleep() -> bool:
    """Let torch's threads wait for each other in a busy loop for a moment only; to be called before torch is imported.

    Otherwise, when another program takes a core, the thread that works and the one that waits share what is left of the
    processor, and a step takes ten times as long and more.

    Returns:
        True where it takes effect: the user has set nothing of the kind, and torch is not there yet.
    """
    if "torch" in sys.modules or any(name in os.environ for name in _WAITING):
        return False
    os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT
    return True


def watch_for_forks(threads: int) -> None:
    """From now on ``check_not_forked`` knows whether this process is a fork of the one that called this; so it may be.

    Raises:
        ModelError: as ``check_not_forked``.
    """
    check_not_forked(threads)
    if not _fork["watched"] and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _fork.update(happened=True))
    _fork["watched"] = True


def check_not_forked(threads: int) -> None:
    """Raises ModelError in a forked child, where the threads of the parent are missing and a step would never end.

    Args:
        threads: with which torch computes; a single one survives a fork.
    """
    if _fork["happened"] and threads > 1:
        raise ModelError(
            "this process was forked from one that had loaded a tracker, and torch's threads do not survive that, so "
            "that a step would never end; start it with multiprocessing's 'spawn', or call torch.set_num_threads(1)"
        )
