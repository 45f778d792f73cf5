"""Importing packages that would tell their makers of it: nothing is sent that the user did not ask for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SENDER = "openvino_telemetry"


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Import OpenVINO, NNCF or Ray in this context: they find no way to send anything, and do without.

    ``import openvino`` alone would start a process that asks for www.google-analytics.com. What was imported before is
    left as it is, and so is Ray where its user asked for the reports (``RAY_USAGE_STATS_ENABLED``).
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if _SENDER in sys.modules:
        yield
        return
    sys.modules[_SENDER] = None  # type: ignore[assignment]  # which lets its import fail
    try:
        yield
    finally:
        if sys.modules.get(_SENDER, False) is None:
            del sys.modules[_SENDER]
