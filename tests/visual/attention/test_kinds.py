"""What holds for every kind of picture."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.visual.attention.kinds import KINDS, kinds_of
from limpet.visual.attention.panels import WIDTH

from .scenes import deformed, moving_scene, plain, scene

SEEN = (((0,), (1,)), ((5, 0), ()), ((8, 5, 0), (1, 2, 3)))
"""(frames in memory, visible objects)"""


@pytest.mark.parametrize("kind", KINDS)
def test_all_pictures_of_a_kind_have_one_size(kind: str) -> None:
    made = (
        [moving_scene(frames, visible) for frames, visible in SEEN]
        if KINDS[kind].of_motion
        else [scene(deformed((1, 2, 3), frames), key_panels=2, visible=visible) for frames, visible in SEEN]
    )
    shapes = {KINDS[kind].draw(each).shape for each in made}  # type: ignore[union-attr]
    assert len(shapes) == 1 and shapes.pop()[1] == WIDTH


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_is_not_changed_by_drawing(kind: str) -> None:
    made = moving_scene(visible=(1, 2)) if KINDS[kind].of_motion else scene(deformed((1, 2, 3)))
    kept = [made.now.image, made.records[0].weights, *(view.image for view in made.views.values())]
    before = [array.copy() for array in kept]
    assert KINDS[kind].draw(made) is not None
    assert all(np.array_equal(one, other) for one, other in zip(before, kept, strict=True))


def test_each_model_is_drawn_what_it_has() -> None:
    plain_scene = scene(plain((1, 2, 3)))
    without = {name for name, kind in KINDS.items() if kind.draw(plain_scene) is None}
    assert without == {"grid", "flow", "sampling", "scales"}
    assert all(KINDS[name].why_not for name in without)
    assert kinds_of(follows_motion=False) == ("maps", "points", "query", "grid")
    assert kinds_of(follows_motion=True) == ("maps", "points", "query", "flow", "sampling", "scales")
    moving = moving_scene()
    assert all(KINDS[name].draw(moving) is not None for name in kinds_of(follows_motion=True))
