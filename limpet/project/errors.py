"""What goes wrong with a project folder."""

from __future__ import annotations

from limpet.errors import LimpetError


class ProjectError(LimpetError):
    """A project folder that is damaged, newer or incomplete, or an edit that it cannot take."""
