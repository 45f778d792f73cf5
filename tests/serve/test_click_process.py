"""Clicks in a process of their own: what arrives there, and what happens when the process ends."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import MaskError, ModelError, WeightsError
from limpet.segment import Click, load_segmenter
from limpet.serve.click_process import ClickProcess

from .conftest import Page

IMAGE = np.random.default_rng(0).integers(0, 200, (6, 8, 3), np.uint8)
IMAGE[3, 4, 2] = 255
TINY = [sys.executable, str(Path(__file__).with_name("tiny_clicks.py"))]
Start = Callable[..., ClickProcess]


@pytest.fixture
def start() -> Iterator[Start]:
    started = []

    def begin(*arguments: str, idle_seconds: float = 60.0) -> ClickProcess:
        started.append(ClickProcess(idle_seconds=idle_seconds, command=[*TINY, *arguments]))
        return started[-1]

    yield begin
    for each in started:
        each.close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_image_clicks_and_mask_arrive_and_the_mask_comes_back(start: Start) -> None:
    model = start()
    found = model.segment(IMAGE, [Click(2, 1), Click(5, 5)])
    assert np.argwhere(found).tolist() == [[1, 2], [3, 4], [5, 5]] and found.dtype == np.uint8
    assert model.name == "marks"
    present = np.zeros((6, 8), np.uint8)
    present[0, 1] = present[0, 2] = 1
    found = model.segment(IMAGE[:, ::-1], [Click(2, 0, positive=False)], present)
    assert np.argwhere(found).tolist() == [[0, 1], [3, 3]]


def test_what_the_model_refuses_is_a_sentence_and_it_goes_on(start: Start) -> None:
    model = start()
    with pytest.raises(ModelError, match="nothing is there"):
        model.segment(IMAGE, [Click(0, 0)])
    process = model.process_id
    assert model.segment(IMAGE, [Click(2, 1)])[1, 2] == 1 and model.process_id == process
    with pytest.raises(MaskError, match="outside of the image"):
        model.segment(IMAGE, [Click(8, 1)])


def test_a_process_that_ended_is_started_again_by_the_next_click(start: Start) -> None:
    model = start()
    with pytest.raises(ModelError, match="ended; click again"):
        model.segment(IMAGE, [Click(1, 0)])
    assert model.process_id is None
    assert model.segment(IMAGE, [Click(2, 1)])[1, 2] == 1


def test_it_ends_when_nobody_clicks_and_choosing_the_tool_starts_it(start: Start, page: Page) -> None:
    model = page.bench.segmenter = start(idle_seconds=0.05)
    until(lambda: model.process_id is None)
    model._idle_seconds = 60.0
    page.post("segment/prepare")
    assert model.process_id is not None
    content = {"frame": 0, "object": 1, "points": [[4, 5, 1]], "mask": None}
    assert page.post("segment/click", content)["mask"]


def test_it_ends_with_the_server(start: Start) -> None:
    model = start()
    model.segment(IMAGE, [Click(2, 1)])
    process = model._process
    assert process is not None and process.stdin is not None
    process.stdin.close()  # as when the server is killed
    assert process.wait(30) == 0


def test_a_model_that_cannot_be_loaded_is_told_to_whoever_clicks(start: Start) -> None:
    model = start("broken")
    for _ in range(2):
        with pytest.raises(ModelError, match="the model is broken"):
            model.segment(IMAGE, [Click(2, 1)])


def test_wrong_files_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read as a weights file"):
        ClickProcess(str(tmp_path / "missing.safetensors"))
    with pytest.raises(ModelError, match="there is no file at"):
        ClickProcess("a.onnx,b.onnx")


def test_the_shipped_model_gives_the_same_mask_as_in_this_process() -> None:
    image = np.full((60, 80, 3), 40, np.uint8)
    image[20:40, 30:55] = (220, 60, 50)
    model, own = ClickProcess(device="cpu"), load_segmenter(device="cpu")
    assert own is not None and (model.name, model.note) == (own.name, own.note)
    try:
        found = model.segment(image, [Click(40, 30)])
    finally:
        model.close()
    assert np.array_equal(found, own.segment(image, [Click(40, 30)]))
    assert found[30, 40] == 1 and found[5, 5] == 0


def test_the_server_does_without_torch() -> None:
    code = (
        "import sys, limpet.serve.run_server, limpet.serve.click_process as c; c.segmenter_files(); "
        "print({'torch', 'onnxruntime'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
