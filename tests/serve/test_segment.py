"""Masks from clicks, boxes and edges through the page."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
from PIL import Image

from limpet.core.masks import decode_mask
from limpet.segment import Click
from limpet.serve.frame_server import FrameServer
from limpet.video.open import open_video

from .conftest import SIZE, Page, as_text, box


class Marks:
    """Draws its clicks, so that it can be seen what arrived."""

    name, note = "marks", "for tests"

    def segment(
        self, image: np.ndarray, clicks: Sequence[Click], mask: np.ndarray | None = None
    ) -> np.ndarray:
        found = np.zeros(image.shape[:2], np.uint8) if mask is None else (mask > 0).astype(np.uint8)
        for click in clicks:
            found[int(click.y), int(click.x)] = click.positive
        return found


def decoded(text: str) -> np.ndarray:
    return decode_mask(base64.b64decode(text))


def test_clicks_need_a_model_and_the_state_says_whether_there_is_one(page: Page) -> None:
    assert page.get("/api/state")["segmenter"]["clicks"] is False
    content = {"frame": 0, "object": 1, "points": [[4, 5, 1]], "mask": None}
    assert "there is no model for clicks" in page.refused("segment/click", content, 409)
    page.bench.segmenter = Marks()
    assert page.get("/api/state")["segmenter"] == {"name": "marks", "clicks": True, "note": "for tests"}
    found = decoded(page.post("segment/click", content)["mask"])
    assert found.shape == SIZE and np.argwhere(found == 255).tolist() == [[5, 4]]


def test_a_click_on_a_given_mask(page: Page) -> None:
    page.bench.segmenter = Marks()
    content = {"frame": 0, "points": [[2, 3, 0], [9, 9, 1]], "mask": as_text(box(1, 2))}
    expected = box(255, 2)
    expected[3, 2], expected[9, 9] = 0, 255
    assert np.array_equal(decoded(page.post("segment/click", content)["mask"]), expected)
    assert page.mask(0) is None, "it is a proposal; nothing has changed"


def test_a_box_and_a_livewire_on_the_frame_itself(page: Page) -> None:
    folder = page.folder.parent / "shapes"
    folder.mkdir()
    picture = np.full((60, 80, 3), 30, np.uint8)
    picture[20:40, 30:60] = (200, 180, 90)
    Image.fromarray(picture).save(folder / "0.png")
    page.bench.opened.frames.close()
    object.__setattr__(page.bench.opened, "frames", FrameServer(lambda: open_video(folder)))
    found = decoded(page.post("segment/box", {"frame": 0, "box": [24, 14, 66, 46]})["mask"])
    assert np.array_equal(found == 255, picture[..., 0] == 200)
    anchor = page.post("segment/livewire/anchor", {"frame": 0, "point": [30, 20], "box": [0, 0, 79, 59]})[
        "id"
    ]
    path = page.post("segment/livewire/path", {"id": anchor, "to": [59, 20]})["path"]
    assert path[0] == [30, 20] and path[-1] == [59, 20] and all(abs(y - 20) <= 1 for _, y in path)


def test_what_is_wrong_is_a_sentence(page: Page) -> None:
    assert "box is [1, 2]; expected a list of 4 numbers" in page.refused(
        "segment/box", {"frame": 0, "box": [1, 2]}
    )
    assert "the video has no frame 99" in page.refused("segment/box", {"frame": 99, "box": [1, 2, 9, 9]})
    assert "points is []; expected a list of 1 to 100 clicks" in page.refused(
        "segment/click", {"frame": 0, "points": []}
    )
    assert "the anchor 7 is not known" in page.refused("segment/livewire/path", {"id": 7, "to": [1, 1]})
