"""What a page reads: state, masks, timelines, frames, events, downloads."""

from __future__ import annotations

import asyncio
import io
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from limpet.project import Project
from limpet.project.project_view import ProjectView
from limpet.project.snapshot import PAGE, Entry
from limpet.results.object_track import LostRule
from limpet.serve import event_hub
from limpet.serve.downloads import exports
from limpet.serve.event_hub import EventHub
from limpet.serve.palette import default_color
from limpet.serve.timeline import POINTS, Timeline

from .conftest import COUNT, SIZE, Page, as_text, box
from .tiny_worker import TinyTracker


@pytest.fixture
def begun(page: Page) -> Page:
    page.post("object/add", {"frame": 0, "mask": as_text(box(1, 2)), "name": "cat"})
    Project.open(page.folder).propagate(TinyTracker("quick"))
    return page


def expanded(runs: list[list[object]]) -> list[object]:
    return [kind for first, last, kind in runs for _ in range(int(str(first)), int(str(last)) + 1)]


def test_the_state_of_a_project(begun: Page) -> None:
    begun.post("undo")
    project = begun.get("/api/state")["project"]
    assert project["video"] | {"id": ""} == {
        "id": "", "name": "clip", "width": 16, "height": 12, "frames": 10, "exact": True, "fps": 24.0,
    }  # fmt: skip
    assert [(edit["kind"], edit["complete"], edit["undone"]) for edit in project["edits"]] == [
        ("add", True, False),
        ("propagate", True, True),
    ]
    assert project["can_undo"] == "add object 1 at frame 0" and project["can_redo"].startswith(
        "propagate what was"
    )
    assert (project["position"], project["problems"], project["read_only"]) == (1, [], False)
    assert project["running"] is None


def test_masks_are_named_by_their_content_and_never_change(begun: Page) -> None:
    found = begun.get("/api/masks?from=0&to=11")
    assert [name is None for name in found["masks"].values()] == [False] * COUNT + [True] * 2
    assert found["confidence"]["0"] == {"1": 1.0} and found["confidence"]["3"] == {"1": 0.9}
    answer = begun.client.get(f"/mask/{found['masks']['3']}.png")
    assert "immutable" in answer.headers["Cache-Control"] and answer.headers["Content-Type"] == "image/png"
    assert answer.content == Project.open(begun.folder).mask_bytes(3)
    assert "at most 400" in begun.get("/api/masks?from=0&to=400", 400)["error"]
    assert "from is '-1'" in begun.get("/api/masks?from=-1", 400)["error"]
    assert "there is no mask" in begun.get(f"/mask/{'0' * 64}.png", 404)["error"]
    assert "not the sha256" in begun.get("/mask/project.png", 404)["error"]
    assert "Not Found" in begun.get("/mask/..%2F..%2Fproject.json", 404)["error"]


def test_masks_before_the_last_edit_are_named_where_they_were_others(begun: Page) -> None:
    assert begun.get("/api/masks?from=0&to=3")["before"] == {}, "only for those who ask"
    asked = "/api/masks?from=0&to=9&before=1"
    assert begun.get(asked)["before"] == {str(frame): None for frame in range(1, COUNT)}
    old = begun.get(asked)["masks"]["4"]
    begun.post("correct", {"frame": 4, "objects": [1], "mask": as_text(box(1, 11))})
    assert begun.get(asked)["before"] == {"4": old}
    for _ in range(3):
        begun.post("undo")
    assert begun.get(asked)["before"] == {}, "there is no edit any more"


def test_frames_are_exact_in_any_order_and_never_change(page: Page) -> None:
    for frame in (7, 0, 9, 8, 3):
        assert abs(int(page.pixels(frame)[5, 5, 0]) - 10 * frame) <= 1
    assert page.pixels(4, "?h=6").shape == (6, 8, 3) and page.pixels(4, "?h=100").shape == (*SIZE, 3)
    video = page.get("/api/state")["project"]["video"]["id"]
    answer = page.client.get(f"/frame/{video}/3")
    assert "immutable" in answer.headers["Cache-Control"] and answer.headers["Content-Type"] == "image/jpeg"
    assert (
        page.get(f"/frame/{video}/10", 404)["error"]
        == "the video has no frame 10: it has 10 frames, counted from 0"
    )
    assert "is not open; load the page again" in page.get("/frame/other/1", 404)["error"]
    assert "h is 99999" in page.get(f"/frame/{video}/1?h=99999", 400)["error"]


def test_a_frame_that_cannot_be_decoded_and_a_missing_video_are_sentences(page: Page) -> None:
    assert page.pixels(0).shape == (*SIZE, 3), "the video is open"
    clip = page.folder.parent / "clip"
    (clip / "0004.png").write_bytes(b"damaged")
    video = page.get("/api/state")["project"]["video"]["id"]
    assert "frame 4 of the video could not be decoded" in page.get(f"/frame/{video}/4", 404)["error"]
    assert page.pixels(5).shape == (*SIZE, 3)
    clip.rename(clip.with_name("moved"))
    page.bench.open(page.folder)
    assert "if it was moved" in page.get(f"/frame/{video}/1", 404)["error"]
    assert page.get("/api/state")["project"]["video"]["frames"] == COUNT, "all else can be read"


def test_the_timeline_says_what_the_project_says(begun: Page) -> None:
    """The arithmetic on arrays against the definition, frame by frame, after edits of all kinds."""
    begun.post("object/add", {"frame": 2, "mask": as_text(box(1, 8))})
    begun.post("correct", {"frame": 6, "objects": [1], "mask": as_text(box(1, 4))})
    begun.post("lock", {"first": 8, "last": 8})
    for step in ("", "undo", "undo", "redo"):
        if step:
            begun.post(step)
        project, found = Project.open(begun.folder), begun.get("/api/timeline")
        keys = project._keys()
        assert found["frames"] == COUNT
        assert expanded(found["statuses"]) == [str(status) for _, status in project.statuses()]
        for object_id in project.objects:
            lane = expanded(found["lanes"][str(object_id)]["spans"])
            assert [kind == "stale" for kind in lane] == [
                keys.is_stale(f, object_id) and project.mask(f) is not None for f in range(COUNT)
            ]
            assert found["lanes"][str(object_id)]["key_frames"] == list(project.key_frames(object_id))
    part = begun.get("/api/timeline?from=3&to=5")
    assert part["statuses"][0][0] == 3 and part["statuses"][-1][1] == 5
    assert [frame for frame, _ in part["lanes"]["1"]["confidence"]] == [3, 4, 5]


class Long:
    """A project of 100,000 frames and 20 objects, as far as a timeline looks at it."""

    frames, unreadable_pages = 100_000, frozenset({3})

    def __init__(self) -> None:
        self.snapshot = type("S", (), {})()
        self.snapshot.objects = dict.fromkeys(range(1, 21), "")
        self.snapshot.given = {0: tuple(range(1, 21)), 50_000: (2,)}
        self.snapshot.locked = ((10, 20),)
        self.snapshot.pages = {number: f"{number % 2}" for number in range(100)}
        self.parsed = 0

    def page(self, number: int) -> dict[int, Entry]:
        self.parsed += 1
        objects = dict.fromkeys(range(1, 21), (1, 0.9))
        return {number * PAGE + k: Entry("", objects | {1: (1, 0.1 if k < 5 else 0.9)}) for k in range(PAGE)}


def test_the_first_timeline_is_of_the_pages_that_were_checked(
    begun: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = begun.get("/api/timeline")
    begun.bench.open(begun.folder)
    monkeypatch.setattr(ProjectView, "page", lambda self, number: {})
    assert begun.get("/api/timeline") | {"revision": 0} == expected | {"revision": 0}


def test_a_long_timeline_is_short_and_quick() -> None:
    project, timeline = Long(), Timeline()
    timeline.describe(project, project.frames)  # type: ignore[arg-type]
    began = time.process_time()
    found = timeline.describe(project, project.frames)  # type: ignore[arg-type]
    assert project.parsed == 2, "a page is parsed once, by its content"
    assert time.process_time() - began < 1.0
    assert all(len(lane["confidence"]) <= POINTS for lane in found["lanes"].values())
    assert [3000, 3999, "unreadable"] in found["statuses"] and [10, 20, "locked"] in found["statuses"]
    assert len(found["look_first"]) == 20 and found["look_first"][0][1] == 1
    assert found["look_first"][0][2] == "lost: confidence 0.10 over 5 frames" and LostRule().frames <= 5
    lows = [confidence for _, confidence in found["lanes"]["1"]["confidence"]]
    assert min(lows) == pytest.approx(0.1, abs=0.01), "a point is the lowest of its stretch"


def test_events_reach_every_listener_and_end_when_the_server_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_hub, "PING_SECONDS", 0.01)

    async def scene() -> list[list[str]]:
        hub = EventHub()

        async def listen() -> list[str]:
            return [text async for text in hub.stream()]

        listeners = [asyncio.create_task(listen()) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert hub.watched
        await asyncio.to_thread(hub.publish, "change", {"revision": 7})
        await asyncio.sleep(0.05)
        hub.close()
        texts = await asyncio.gather(*listeners)
        assert not hub.watched
        return texts

    for texts in asyncio.run(scene()):
        assert ": ping\n\n" in texts and 'event: change\ndata: {"revision": 7}\n\n' in texts


def test_a_change_by_another_program_is_told(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    told = page.events(monkeypatch)
    Project.open(page.folder).add(0, box(1, 2))
    page.bench.refresh()
    page.bench.refresh()
    assert [event for event, _ in told] == ["change"]


@pytest.mark.parametrize("what", ["masks", "overlay", "report", "coco"])
def test_downloads(begun: Page, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = begun.events(monkeypatch)
    name = begun.post("export", {"what": what})["id"]
    end = time.monotonic() + 60
    while not any(event == "done" for event, _ in told) and time.monotonic() < end:
        time.sleep(0.02)
    done = next(data for event, data in told if event == "done")
    assert (done["id"], done["outcome"]) == (name, "finished"), done
    assert all(data["what"] == f"export {what}" for event, data in told if event == "progress")
    answer = begun.client.get(f"/api/download/{name}")
    suffix = {
        "masks": "-masks.zip",
        "overlay": "-overlay.mp4",
        "report": "-report.zip",
        "coco": "-coco.json",
    }[what]
    assert f'filename="job{suffix}"' in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Disposition"].startswith("attachment")
    if what == "masks":
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            project = Project.open(begun.folder)
            assert len(archive.namelist()) == COUNT
            assert archive.read("masks/00003.png") == project.mask_bytes(3)
    if what == "report":
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert {"report.json", "report.html"} <= set(archive.namelist())
    begun.bench.end()
    assert not list(begun.folder.glob(".pass-*")), "nothing is left in the project"


def test_what_cannot_be_exported_is_told(begun: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    told = begun.events(monkeypatch)
    begun.post("export", {"what": "../x"})
    end = time.monotonic() + 60
    while not any(event == "done" for event, _ in told) and time.monotonic() < end:
        time.sleep(0.02)
    assert told[-1][1]["outcome"] == "failed" and "'../x' cannot be exported" in told[-1][1]["message"]
    assert "there is no download" in begun.get("/api/download/e9", 404)["error"]
    assert {"what": "coco"}.items() <= exports()[0].items()
    assert begun.get("/api/state")["exports"] == exports()


def test_colours_without_a_choice_differ() -> None:
    colors = [default_color(i) for i in range(1, 60)]
    assert len(set(colors)) == len(colors) and all(len(color) == 7 for color in colors)


def test_a_damaged_project_is_shown_and_takes_nothing(begun: Page) -> None:
    page_file = next((begun.folder / "pages").rglob("*.json"))
    newest = sorted((begun.folder / "pages").rglob("*.json"), key=lambda path: path.stat().st_mtime)[-1]
    newest.write_bytes(b"damaged")
    begun.bench.open(begun.folder)
    state = begun.get("/api/state")["project"]
    assert state["read_only"] and "damaged" in state["problems"][0] and page_file.is_file()
    assert expanded(begun.get("/api/timeline")["statuses"])[1] == "unreadable"
    stroke = {"frame": 1, "objects": [1], "mask": as_text(box(1, 3))}
    assert "is open for reading only" in begun.refused("correct", stroke)


def test_an_unknown_address_is_a_sentence(page: Page) -> None:
    assert page.get("/api/nothing", 404)["error"] == "GET /api/nothing: Not Found"
    assert page.get("/api/undo", 404)["error"] == "GET /api/undo: Not Found"
    assert Image.open(io.BytesIO(page.bytes(f"/frame/{page.bench.opened.video_id}/0"))).format == "JPEG"
    assert np.asarray(page.pixels(0)).shape == (*SIZE, 3)
