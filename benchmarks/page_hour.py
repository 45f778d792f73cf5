"""Does the page of `limpet serve` stay fluent with an hour of 1080p and 20 objects? Measured in the browser.

    python benchmarks/page_hour.py                          # about eight minutes, and 1 GB of scratch space

A video of 90,000 frames (25 a second, h264, a key frame every 30 frames; the demo clip enlarged, its packets repeated)
whose every frame has a mask of 20 objects with confidences. Milliseconds as in page_latency.py, for key presses, for
jumps all over the hour, for a brush stroke, for clicks, and until the answers for the whole timeline are there; and the
largest resident memory of the server and of the processes it started. It needs `limpet[web,browser]` and chromium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from machine import begin
from page_latency import GAP, SHOWN, SIZE, STROKE, Served, opened, tell, timed

from limpet.bench.machine import peak_mb
from limpet.core.masks import encode_mask
from limpet.demo.demo_clip import demo_video
from limpet.project import Project
from limpet.project.draft import Draft
from limpet.project.snapshot import PAGE, Entry
from limpet.video.open import open_video

RATE = 25
OBJECTS = 20
MASKS = 300
"""More than the page keeps, so that a jump has to fetch its mask."""
TIMELINE = """async () => {
    const {getJson} = await import("/core/api.js");
    const begun = performance.now();
    await getJson("/api/timeline?from=0&to=90000");
    return [performance.now() - begun];
}"""


CLICK = """async clicks => {
    const {postJson} = await import("/core/api.js");
    const {get} = await import("/core/store.js");
    const times = [];
    for (let i = 0; i < clicks; i++) {
        const begun = performance.now();
        const points = [[900 + i, 500, 1]];
        await postJson("/api/segment/click", {frame: get().frame, object: 1, points, mask: null});
        times.push(performance.now() - begun);
    }
    return times;
}"""


def make_video(path: Path, frames: int) -> int:
    """The demo clip, enlarged, again and again: one round is encoded. Returns the frames of a round."""
    with open_video(demo_video()) as video:
        images = [cv2.resize(frame.image, SIZE, interpolation=cv2.INTER_CUBIC) for frame in video]
    part = path.with_name("round.mp4")
    with av.open(str(part), "w") as file:
        options = {"g": str(GAP), "preset": "veryfast", "crf": "32"}
        stream = file.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for picture in images:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode())
    with av.open(str(part)) as source:
        packets = [
            (bytes(p), p.pts, p.dts, p.duration, p.is_keyframe) for p in source.demux(video=0) if p.size
        ]
        tick = packets[0][3]
        with av.open(str(path), "w") as file:
            out = file.add_stream_from_template(source.streams.video[0])
            for count in range(-(-frames // len(packets))):
                for data, pts, dts, duration, is_key in packets:
                    packet = av.Packet(data)
                    shift = count * len(packets) * tick
                    packet.pts, packet.dts, packet.duration = pts + shift, dts + shift, duration
                    packet.time_base, packet.stream, packet.is_keyframe = (
                        source.streams.video[0].time_base,
                        out,
                        is_key,
                    )
                    file.mux(packet)
    return len(packets)


def make_project(folder: Path, video: Path, frames: int) -> None:
    """Every frame has a mask, as a propagation leaves them; the files of MASKS masks are used again and again."""
    project = Project.create(folder, video)
    masks = [moving_disks(number) for number in range(MASKS)]
    project.add(0, masks[0])
    draft = Draft(project._folder)
    names = [project.masks.put(encode_mask(mask)) for mask in masks]
    for number in range(frames // PAGE + 1):
        page = draft._page(number * PAGE)
        for frame in range(max(1, number * PAGE), min(frames, (number + 1) * PAGE)):
            sure = {i: (2, 0.7 + 0.29 * np.sin(frame / 500 + i)) for i in range(1, OBJECTS + 1)}
            page[frame] = Entry(names[frame % len(names)], sure)
    draft.commit("propagate", "what was empty")


def moving_disks(number: int) -> np.ndarray:
    """uint8 (H, W): twenty disks on their ways."""
    mask = np.zeros(SIZE[::-1], np.uint8)
    for index in range(OBJECTS):
        x = 150 + 340 * (index % 5) + round(60 * np.sin(number / 8 + index))
        y = 140 + 250 * (index // 5) + round(50 * np.cos(number / 8 + index))
        cv2.circle(mask, (x, y), 90, index + 1, thickness=-1)
    return mask


def processes(server: int) -> dict[str, int]:
    """The server and what it started, by their modules."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    names = {Path(f"/proc/{child}/cmdline").read_text().split("\0")[2]: int(child) for child in children}
    return {"server": server, **names}


def measure(browser: Any, folder: Path, frames: int) -> dict[str, list[float]]:
    if not (folder / "hour-project").exists():
        made = time.perf_counter()
        make_video(folder / "hour.mp4", frames)
        make_project(folder / "hour-project", folder / "hour.mp4", frames)
        print(
            f"made in {time.perf_counter() - made:.0f} s; {(folder / 'hour.mp4').stat().st_size / 1e6:.0f} MB"
        )
    begun = time.perf_counter()
    served = Served(folder, "hour.mp4")
    found: dict[str, list[float]] = {}
    try:
        page = opened(browser, served.link)
        tell(found, "opened and shown (with 3 s of waiting)", [1000 * (time.perf_counter() - begun)])
        while int(page.locator(".frame-number span").inner_text().split()[-1]) < frames - 1:
            page.wait_for_timeout(500)  # the file is still read through
        tell(found, "the whole timeline", [page.evaluate(TIMELINE)[0] for _ in range(5)])
        for start in (0, frames // 2):
            page.evaluate(SHOWN, {"frames": [start], "pause": 4000, "key": None})
            steps = {"frames": list(range(start + 1, start + 41)), "pause": 150, "key": "ArrowRight"}
            tell(found, f"key press, fetched ahead, from {start}", *timed(page, SHOWN, steps))
        far = np.random.default_rng(0).integers(0, frames - 1, 20).tolist()
        tell(found, "jump, nothing fetched", *timed(page, SHOWN, {"frames": far, "pause": 1200, "key": None}))
        tell(found, "brush", *timed(page, STROKE, 60))
        page.locator(".saved:text-is('Saved')").wait_for()
        tell(found, "click (the first one, then others)", *timed(page, CLICK, 5))
        for name, process in processes(served._process.pid).items():
            tell(found, f"MB at most: {name}", [peak_mb(process)])
    finally:
        served.stop()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=90_000)
    parser.add_argument("--folder", type=Path, help="Made there where it is missing, and kept.")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="The browser.")
    parser.add_argument("--json", type=Path, help="Also write the times there.")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    machine = begin(1)
    print(f"{'ms':42}{'median':>9}{'90 %':>9}{'most':>9}{'n':>5}{'CPU':>9}", flush=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        folder = options.folder or Path(scratch)
        folder.mkdir(exist_ok=True)
        found = measure(browser, folder, options.frames)
        browser.close()
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "milliseconds": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
