"""Settings of clips are checked when they are made."""

from __future__ import annotations

import pytest

from limpet.core.errors import DataError
from limpet.data.config import ClipConfig


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 250}, r"size is 250, expected 16k \+ 1"),
        ({"frames": 1}, "frames is 1, expected a number of at least 2"),
        ({"batch": 0}, "batch is 0, expected a number of at least 1"),
        ({"video_prob": (0.0, 1.5)}, r"video_prob is \(0\.0, 1\.5\), expected two numbers from 0 to 1"),
        ({"crowd_prob": (-0.1, 1.0)}, "crowd_prob is .*, expected two numbers from 0 to 1"),
        ({"attached_object_prob": 1.5}, "attached_object_prob is 1.5"),
        ({"max_zoom": 0.5}, "max_zoom is 0.5, expected a number from 1 to 10"),
        ({"max_rotation": 190.0}, "max_rotation is 190.0, expected a number from 0 to 180"),
        ({"occluder_prob": 1.5}, "occluder_prob is 1.5, expected a number from 0 to 1"),
        ({"split_components": -1}, "split_components is -1, expected a number of at least 0"),
        ({"max_frame_gap": (0, 3)}, r"max_frame_gap is \(0, 3\), expected two numbers of at least 1"),
        ({"max_objects": 0}, "max_objects is 0, expected a number from 1 to 255"),
    ],
)
def test_settings_are_checked(change: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        ClipConfig(**change)  # type: ignore[arg-type]
