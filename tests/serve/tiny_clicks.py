"""A process of a model for clicks without torch. With the argument "broken" it has none."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import numpy as np

from limpet.core.errors import MaskError
from limpet.core.files import take_stdout
from limpet.segment import Click
from limpet.serve.click_process import answer_clicks, write


class Marks:
    """Draws its clicks and the brightest pixel. A click at (0, 0) fails, and one at (1, 0) ends the process."""

    name, note = "marks", "for tests"

    def segment(
        self, image: np.ndarray, clicks: Sequence[Click], mask: np.ndarray | None = None
    ) -> np.ndarray:
        if clicks[0] == Click(0, 0):
            raise MaskError("nothing is there")
        if clicks[0] == Click(1, 0):
            os._exit(3)
        found = np.zeros(image.shape[:2], np.uint8) if mask is None else mask.copy()
        found[image[..., 2] == image[..., 2].max()] = 1
        for each in clicks:
            found[int(each.y), int(each.x)] = each.positive
        return found


if __name__ == "__main__":
    answers = take_stdout()
    if sys.argv[1:] == ["broken"]:
        write(answers.buffer, {"error": "the model is broken"})
    else:
        answer_clicks(Marks(), sys.stdin.buffer, answers.buffer)
