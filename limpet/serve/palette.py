"""The colours of objects on the page: those that somebody chose, which project.json keeps, and otherwise a palette."""

from __future__ import annotations

import re

from limpet.core.masks import davis_palette
from limpet.project.manual_edits import EditableProject
from limpet.project.project_view import ProjectView

COLORS = "colors"
"""The entry of project.json: id -> #rrggbb."""
_DISTINCT = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
"""Seven colours that people with any kind of colour vision can tell apart (Okabe and Ito, 2008)."""
_COLOR = re.compile(r"#[0-9a-f]{6}")


def object_colors(project: ProjectView) -> dict[int, str]:
    """id -> #rrggbb for each object of a project."""
    chosen = project.extra.get(COLORS)
    known = chosen if isinstance(chosen, dict) else {}
    found = {}
    for object_id in project.objects:
        color = str(known.get(str(object_id), "")).lower()
        found[object_id] = color if _COLOR.fullmatch(color) else default_color(object_id)
    return found


def set_color(project: EditableProject, object_id: int, color: str) -> None:
    """Keep the colour of an object in project.json; this is not an edit."""
    chosen = project.extra.get(COLORS)
    known = chosen if isinstance(chosen, dict) else {}
    project.set_extra(COLORS, known | {str(object_id): color})


def default_color(object_id: int) -> str:
    """The colour of an object for which none was chosen."""
    if object_id <= len(_DISTINCT):
        return _DISTINCT[object_id - 1]
    red, green, blue = davis_palette()[object_id].tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"
