"""Access to matplotlib, which is an optional dependency; it draws only to files."""

from __future__ import annotations

from typing import Any

from limpet.core.errors import MissingExtraError

COLOURS = ("#c8421e", "#1f6fb4", "#3b8f4a", "#8a5bb5", "#b58a1f", "#4a4a4a")


def load_pyplot(purpose: str) -> Any:
    """``matplotlib.pyplot``, without a window. Raises MissingExtraError, which says what ``purpose`` needs."""
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError(purpose, "train", "matplotlib") from error
    matplotlib.use("agg")
    from matplotlib import pyplot

    return pyplot
