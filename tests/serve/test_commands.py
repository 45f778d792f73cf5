"""A page can do what a project can, and nothing else: the bytes of every frame say so."""

from __future__ import annotations

from urllib.parse import quote

import numpy as np
import pytest

from limpet.core.masks import decode_mask
from limpet.project import Project

from .conftest import COUNT, SIZE, Page, as_text, box


@pytest.fixture
def begun(page: Page) -> Page:
    """With one object in frames 0 and 5."""
    page.post("object/add", {"frame": 0, "mask": as_text(box(9, 2)), "name": "cat", "color": "#12AB34"})
    page.post("correct", {"frame": 5, "objects": [1], "mask": as_text(box(1, 8))})
    return page


def masks(page: Page) -> list[bytes | None]:
    return [page.mask(frame) for frame in range(COUNT)]


def test_an_object_is_added_with_name_and_colour(page: Page) -> None:
    answer = page.post(
        "object/add", {"frame": 0, "mask": as_text(box(9, 2)), "name": "<b>cat</b>", "color": "#12AB34"}
    )
    assert answer["id"] == 1
    (found,) = page.get("/api/state")["project"]["objects"]
    assert found == {"id": 1, "name": "<b>cat</b>", "color": "#12ab34", "key_frames": [0]}
    assert np.array_equal(decode_mask(page.mask(0) or b""), box(1, 2))
    assert Project.open(page.folder).extra == {"colors": {"1": "#12ab34"}}


def test_an_edit_of_a_project_that_is_no_longer_open_changes_nothing(begun: Page) -> None:
    before = masks(begun)
    content = {"frame": 5, "objects": [1], "mask": as_text(box(1, 11))}
    other = str(begun.folder.parent / "other job")
    answer = begun.client.post(
        "/api/correct", json=content, headers={"X-Limpet-Project": quote(other, safe="")}
    )
    assert answer.status_code == 412
    assert answer.json()["error"] == "job is open now; nothing of it was changed by an edit of other job"
    assert masks(begun) == before
    own = quote(begun.get("/api/state")["project"]["path"], safe="")
    assert (
        begun.client.post("/api/correct", json=content, headers={"X-Limpet-Project": own}).status_code == 200
    )
    assert masks(begun) != before


def test_a_correction_changes_only_what_the_person_changed(begun: Page) -> None:
    seen = box(1, 8)
    other = seen.copy()
    other[0, :3], other[seen > 0] = 1, 2  # by another program, meanwhile
    other[1, :3] = 1
    begun.post("object/add", {"frame": 5, "mask": as_text((other == 2).astype(np.uint8))})
    begun.post("correct", {"frame": 5, "objects": [1], "mask": as_text((other == 1).astype(np.uint8))})
    stroke, changed = seen.copy(), np.zeros(SIZE, np.uint8)
    stroke[-1, :4] = changed[-1, :4] = 1
    changed[0, :2] = 1  # erased here
    begun.post("correct", {"frame": 5, "objects": [1], "mask": as_text(stroke), "changed": as_text(changed)})
    other[-1, :4], other[0, :2] = 1, 0
    assert np.array_equal(decode_mask(begun.mask(5) or b""), other)
    begun.post("correct", {"frame": 5, "objects": [1], "mask": None, "changed": as_text(changed)})
    other[-1, :4] = 0
    assert np.array_equal(decode_mask(begun.mask(5) or b""), other)


def test_names_are_edits_and_colours_are_not(begun: Page) -> None:
    before = begun.get("/api/state")["project"]
    begun.post("object/change", {"id": 1, "name": "dog", "color": "#000001"})
    after = begun.get("/api/state")["project"]
    assert (after["objects"][0]["name"], after["objects"][0]["color"]) == ("dog", "#000001")
    assert len(after["edits"]) == len(before["edits"]) + 1 and after["revision"] > before["revision"]
    begun.post("undo")
    restored = begun.get("/api/state")["project"]["objects"][0]
    assert (restored["name"], restored["color"]) == ("cat", "#000001")


def test_a_corrected_frame_holds_and_undo_and_redo_give_the_same_bytes(begun: Page) -> None:
    before = masks(begun)
    begun.post("correct", {"frame": 5, "objects": [1], "mask": as_text(box(1, 11))})
    after = masks(begun)
    assert [frame for frame in range(COUNT) if before[frame] != after[frame]] == [5]
    assert np.array_equal(decode_mask(after[5] or b""), box(1, 11))
    assert after == [Project.open(begun.folder).mask_bytes(frame) for frame in range(COUNT)]
    undone = begun.post("undo")
    assert masks(begun) == before and undone["frames"] == [5, 5]
    assert undone["edit"] == "correct object 1 at frame 5"
    begun.post("redo")
    assert masks(begun) == after


def test_an_object_that_is_not_visible(begun: Page) -> None:
    begun.post("correct", {"frame": 3, "objects": [1], "mask": None})
    assert not decode_mask(begun.mask(3) or b"").any()
    assert begun.get("/api/state")["project"]["objects"][0]["key_frames"] == [0, 3, 5]


def test_a_locked_frame_takes_nothing(begun: Page) -> None:
    begun.post("lock", {"first": 5, "last": 5})
    before = masks(begun)
    stroke = {"frame": 5, "objects": [1], "mask": as_text(box(1, 1))}
    assert "frame 5 is locked; unlock it first" in begun.refused("correct", stroke)
    assert "is locked and shows object 1" in begun.refused("object/remove", {"id": 1})
    assert masks(begun) == before and begun.get("/api/state")["project"]["locked"] == [[5, 5]]
    begun.post("unlock", {"first": 5, "last": 5})
    begun.post("correct", stroke)
    assert masks(begun) != before


def test_removing_an_object_and_undoing_it(begun: Page) -> None:
    before = masks(begun)
    begun.post("object/remove", {"id": 1, "include_locked": False})
    assert masks(begun) == [None] * COUNT and begun.get("/api/state")["project"]["objects"] == []
    assert begun.post("undo")["frames"] == [0, 5]
    assert masks(begun) == before and begun.get("/api/state")["project"]["objects"][0]["color"] == "#12ab34"


def test_the_command_line_and_the_page_take_turns(begun: Page) -> None:
    """Neither loses what the other did."""
    revision = begun.get("/api/state")["project"]["revision"]
    Project.open(begun.folder).correct(7, box(1, 4))
    assert begun.get("/api/state")["project"]["revision"] > revision
    assert np.array_equal(decode_mask(begun.mask(7) or b""), box(1, 4))
    begun.post("correct", {"frame": 8, "objects": [1], "mask": as_text(box(1, 5))})
    project = Project.open(begun.folder)
    assert [edit.what for edit in project.edits[-2:]] == ["object 1 at frame 7", "object 1 at frame 8"]
    begun.post("undo")
    begun.post("undo")
    assert begun.mask(7) is None and begun.mask(5) is not None


def test_another_program_between_two_moments_of_an_edit(begun: Page) -> None:
    """The stroke is made again on what is there now."""
    tries = []

    def change(project: Project) -> None:
        if not tries:
            Project.open(begun.folder).correct(7, box(1, 4))
        tries.append(project.position)
        project.correct(8, box(1, 5))

    begun.bench.edit(change)
    assert tries == [2, 3]
    assert [begun.mask(frame) is not None for frame in (7, 8)] == [True, True]


@pytest.mark.parametrize(
    ("path", "content", "sentence"),
    [
        ("correct", [], "the request is []; expected a JSON object"),
        ("correct", {"objects": [1]}, "frame is missing; expected a whole number"),
        ("correct", {"frame": "0", "objects": [1]}, "frame is '0'; expected a whole number"),
        ("correct", {"frame": 0, "objects": [0]}, "objects is [0]; expected a list of object ids, 1 to 255"),
        ("correct", {"frame": 0}, "objects is missing"),
        ("correct", {"frame": 0, "objects": [3]}, "there is no object 3 in the project"),
        ("correct", {"frame": 0, "objects": [1], "mask": "%"}, "mask is not base64"),
        ("correct", {"frame": 0, "objects": [1], "mask": "aGFsbG8="}, "mask cannot be read as a PNG"),
        ("correct", {"frame": 10, "objects": [1]}, "the video has no frame 10"),
        ("object/add", {"frame": 0}, "mask is missing; expected a PNG as base64"),
        ("object/change", {"id": 1, "color": "red;"}, "color is 'red;'; expected a colour such as #1e90ff"),
        ("object/change", {"id": 1, "name": "x" * 201}, "a text of at most 200 characters"),
        ("lock", {"first": 3, "last": 3}, "frame 3 has no mask to lock"),
        ("redo", {}, "there is nothing to redo"),
    ],
)
def test_what_is_wrong_is_a_sentence(begun: Page, path: str, content: object, sentence: str) -> None:
    before = masks(begun)
    assert sentence in begun.refused(path, content)
    assert masks(begun) == before


def test_a_mask_of_another_size_is_refused_before_it_is_decoded(begun: Page) -> None:
    large = as_text(np.ones((SIZE[0] + 1, SIZE[1]), np.uint8))
    refused = begun.refused("correct", {"frame": 0, "objects": [1], "mask": large})
    assert refused == "mask is 13x16 but the frame is 12x16; send a PNG of the frame's size"
