"""Process settings that make torch faster on a CPU without changing results."""

from __future__ import annotations

import ctypes
import sys

# mallopt's parameters, from glibc's malloc.h
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_ONE_GIB = 1 << 30


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
