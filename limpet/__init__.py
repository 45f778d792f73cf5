"""limpet holds on to objects in video.

import limpet
tracker = limpet.load("deaot-t")
state = tracker.start(frame, mask)
mask, state = tracker.step(next_frame, state)
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from limpet.core.errors import LimpetError

if TYPE_CHECKING:
    from limpet.project import Project
    from limpet.runtime.exported_tracker import load_exported
    from limpet.state import TrackerState
    from limpet.tracking.batched_tracker import BatchedTracker
    from limpet.tracking.load import load
    from limpet.tracking.track_video import track
    from limpet.tracking.tracker import Tracker

try:
    __version__ = version("limpet")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"

__all__ = [
    "BatchedTracker",
    "LimpetError",
    "Project",
    "Tracker",
    "TrackerState",
    "__version__",
    "list_models",
    "load",
    "load_exported",
    "track",
]


def list_models() -> list[str]:
    """Names of all models."""
    from limpet.registry import entries

    return [entry.name for entry in entries()]


_LATER = {
    "BatchedTracker": "limpet.tracking.batched_tracker",
    "Project": "limpet.project",
    "TrackerState": "limpet.state",
    "Tracker": "limpet.tracking.tracker",
    "load": "limpet.tracking.load",
    "load_exported": "limpet.runtime.exported_tracker",
    "track": "limpet.tracking.track_video",
}


def __getattr__(name: str) -> object:
    # These bring torch along, which takes seconds: `limpet --help` need not wait for it.
    if name not in _LATER:
        raise AttributeError(f"module 'limpet' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
