"""Projects: a video, its objects, the masks that a person gave and those propagated from them, all with undo."""

from __future__ import annotations

from limpet.core.errors import ProjectError
from limpet.project.project import Project

__all__ = ["Project", "ProjectError"]
