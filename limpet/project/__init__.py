"""The editable job: a video, its objects, what a person gave, and the results; every edit can be undone."""

from __future__ import annotations

from limpet.core.errors import ProjectError
from limpet.project.project import Project

__all__ = ["Project", "ProjectError"]
