"""limpet holds on to objects in video.

import limpet
tracker = limpet.load("deaot-t")
state = tracker.start(frame, mask)
mask, state = tracker.step(next_frame, state)
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from limpet.errors import LimpetError
from limpet.state import TrackerState

if TYPE_CHECKING:
    from limpet.tracking.load import load
    from limpet.tracking.run import track
    from limpet.tracking.tracker import Tracker

try:
    __version__ = version("limpet")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"

__all__ = ["LimpetError", "Tracker", "TrackerState", "__version__", "list_models", "load", "track"]


def list_models() -> list[str]:
    """Names of all models."""
    from limpet.registry import entries

    return [entry.name for entry in entries()]


def __getattr__(name: str) -> object:
    # The tracker brings the networks along; whoever only reads a state or an error need not wait for them.
    if name == "load":
        from limpet.tracking.load import load

        return load
    if name == "Tracker":
        from limpet.tracking.tracker import Tracker

        return Tracker
    if name == "track":
        from limpet.tracking.run import track

        return track
    raise AttributeError(f"module 'limpet' has no attribute {name!r}")
