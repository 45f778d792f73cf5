"""How fast is the page of `limpet serve`, measured in the browser?

    python benchmarks/page_latency.py                       # 1080p, the default model; about two minutes

Four questions, each with the median, the 90th percentile and the maximum in milliseconds:

- a frame after a key press, when it was fetched ahead (the person steps through the video);
- a frame after a jump to where nothing was fetched;
- what a brush draws after the pointer has moved, while a propagation runs;
- the first propagated mask of a drawn object (a stroke and a key), from the key that orders it, and from the start of
  `limpet serve` (demo clip; a model is loaded first).

Times are from the event in the page to the end of the drawing of the canvas, in headless chromium without a GPU. On a
busy machine compare the last column: the CPU time of the page's main thread per event, in which waiting is not. The
video is the demo clip, enlarged to 1920x1080, h264 with a key frame every 30 frames; 60 of its frames have masks of
three objects. It needs `limpet[web,browser]` and chromium.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from machine import begin

from limpet.demo.demo_clip import demo_masks, demo_video
from limpet.project import Project
from limpet.video.open import open_video

SIZE = (1920, 1080)
GAP = 30
MASKED = 60
PAUSE = 3
SHOWN = """async ({frames, pause, key}) => {
    const {goTo} = await import("/core/session.js");
    const canvas = document.querySelector(".stage-canvas");
    const times = [];
    for (const frame of frames) {
        const begun = performance.now();
        if (key) window.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
        else goTo(frame);
        do await new Promise(requestAnimationFrame);
        while (canvas.dataset.frame !== String(frame) || canvas.dataset.ready !== "true");
        times.push(performance.now() - begun);
        await new Promise(resolve => setTimeout(resolve, pause));
    }
    return times;
}"""
STROKE = """async moves => {
    const canvas = document.querySelector(".stage-canvas");
    const box = canvas.getBoundingClientRect();
    const send = (type, x, y) => canvas.dispatchEvent(new PointerEvent(type, {
        clientX: box.left + x, clientY: box.top + y, pointerId: 1, button: 0, buttons: 1, bubbles: true,
    }));
    canvas.setPointerCapture = () => {};
    send("pointerdown", 200, 200);
    const times = [];
    for (let i = 0; i < moves; i++) {
        const begun = performance.now();
        send("pointermove", 200 + 300 * Math.cos(i / 9), 220 + 100 * Math.sin(i / 7));
        await new Promise(requestAnimationFrame);
        times.push(performance.now() - begun);
        await new Promise(resolve => setTimeout(resolve, 15));
    }
    send("pointerup", 200, 200);
    return times;
}"""


def make_clip(path: Path, frames: int) -> None:
    """The demo clip, enlarged, forwards and backwards until it is long enough."""
    with open_video(demo_video()) as video:
        images = [cv2.resize(frame.image, SIZE, interpolation=cv2.INTER_CUBIC) for frame in video]
    order = [*range(len(images)), *range(len(images) - 2, 0, -1)]
    with av.open(str(path), "w") as file:
        stream = file.add_stream(
            "libx264", rate=24, options={"g": str(GAP), "preset": "veryfast", "crf": "20"}
        )
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for index in range(frames):
            picture = av.VideoFrame.from_ndarray(images[order[index % len(order)]], "rgb24")
            file.mux(stream.encode(picture))
        file.mux(stream.encode())


def make_project(folder: Path, clip: Path) -> None:
    masks = [cv2.resize(mask, SIZE, interpolation=cv2.INTER_NEAREST) for mask in demo_masks()[:MASKED]]
    project = Project.create(folder, clip)
    project.add(0, masks[0])
    for frame, mask in enumerate(masks[1:], 1):
        project.correct(frame, mask)


class Served:
    """`limpet serve` as a person starts it."""

    def __init__(self, folder: Path, what: str) -> None:
        code = "import sys; from limpet.cli.main import main; sys.exit(main())"
        command = [sys.executable, "-c", code, "serve", what, "--no-browser", "--port", "0"]
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            text=True,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self._process.stdout is not None
        line = next(text for text in self._process.stdout if "#token=" in text)
        self.link = line.partition("serve: ")[2].strip()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def tell(found: dict[str, list[float]], name: str, times: list[float], cpu: float = float("nan")) -> None:
    median, late = np.percentile(times, [50, 90])
    print(f"{name:42}{median:9.0f}{late:9.0f}{max(times):9.0f}{len(times):5}{cpu:9.1f}", flush=True)
    found[name] = times


def timed(page: Any, script: str, argument: Any) -> tuple[list[float], float]:
    """What a script measured, and milliseconds of CPU time of the page's main thread per event."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(each["value"] for each in metrics if each["name"] == "TaskDuration")

    before = busy()
    times = page.evaluate(script, argument)
    return times, 1000 * (busy() - before) / len(times)


def opened(browser: Any, link: str) -> Any:
    page = browser.new_context(viewport={"width": 1920, "height": 1080}).new_page()
    page.set_default_timeout(120_000)
    page.goto(link)
    page.locator(".stage-canvas[data-ready=true]").wait_for()
    page.wait_for_timeout(1000 * PAUSE)  # the window around the first frame is fetched
    return page


def measure(browser: Any, folder: Path, options: argparse.Namespace) -> dict[str, list[float]]:
    make_clip(folder / "large.mp4", options.frames)
    make_project(folder / "large-project", folder / "large.mp4")
    served = Served(folder, "large.mp4")
    found: dict[str, list[float]] = {}
    try:
        page = opened(browser, served.link)
        steps = {"frames": list(range(1, 41)), "pause": options.pause, "key": "ArrowRight"}
        tell(found, "frame after a key press, fetched ahead", *timed(page, SHOWN, steps))
        far = [(97 + 71 * turn) % (options.frames - 60) + 60 for turn in range(16)]
        far = [frame for turn, frame in enumerate(far) if not turn or abs(frame - far[turn - 1]) > 35]
        jumps = {"frames": far, "pause": 1200, "key": None}
        tell(found, "frame after a jump, nothing fetched", *timed(page, SHOWN, jumps))
        page.evaluate(SHOWN, {"frames": [MASKED - 1], "pause": 500, "key": None})
        page.keyboard.press("f")
        page.get_by_role("progressbar").wait_for()
        page.get_by_text(" left").wait_for()  # the model is loaded, and steps are being made
        tell(found, "brush while a propagation runs", *timed(page, STROKE, 60))
        page.context.close()
    finally:
        served.stop()
    return found


def first_mask(browser: Any, folder: Path) -> tuple[float, float]:
    """Draws an object in the demo clip and propagates it, by two inputs.

    Returns milliseconds until frame 1 has a mask: from the key, and from the start of `limpet serve`.
    """
    shutil.copy(demo_video(), folder / "clip.mp4")
    started = time.perf_counter()
    served = Served(folder, "clip.mp4")
    try:
        page = opened(browser, served.link)
        box = page.locator(".stage-canvas").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.4
        page.mouse.move(x - 40, y)
        page.mouse.down()
        page.mouse.move(x + 20, y + 60, steps=5)
        page.mouse.up()
        page.locator(".saved:text-is('Saved')").wait_for()
        begun = time.perf_counter()
        page.keyboard.press("f")
        page.evaluate(
            """async () => {
                const {nameOf} = await import("/core/masks.js");
                while (!nameOf(1)) await new Promise(resolve => setTimeout(resolve, 20));
            }"""
        )
        done = time.perf_counter()
        return 1000 * (done - begun), 1000 * (done - started - PAUSE)
    finally:
        served.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=300, help="Frames of the 1080p video.")
    parser.add_argument("--pause", type=int, default=150, help="Milliseconds between two key presses.")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="The browser.")
    parser.add_argument("--json", type=Path, help="Also write the times there.")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    machine = begin(1)
    print(f"load of the machine, 1 minute: {os.getloadavg()[0]:.1f}")
    print(f"{'ms':42}{'median':>9}{'90 %':>9}{'most':>9}{'n':>5}{'CPU':>9}", flush=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        found = measure(browser, Path(scratch), options)
        from_key, from_start = first_mask(browser, Path(scratch))
        tell(found, "first propagated mask (demo clip)", [from_key])
        tell(found, "the same, from the start of limpet serve", [from_start])
        browser.close()
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "milliseconds": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
