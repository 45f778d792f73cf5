"""Kills `limpet batch` at random moments with SIGKILL, repeats the command, and compares every byte of all results.

    python benchmarks/kill_batch.py                          # 20 moments over 40 short clips
    python benchmarks/kill_batch.py --moments 3 --clips 6 --frames 20

One run is left undisturbed. In another one, at each moment either the command or one of its workers is killed, by turns
of a seeded dice; a command that was killed is started again, and a worker's place is taken by the command itself. At
the end the command is left alone, and every file of every job must be the one of the undisturbed run.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from limpet.batch.job import SUMMARY_FILES
from limpet.batch.ledger import BATCH_FOLDER, ENDED
from limpet.bench.machine import describe_machine, machine_lines
from limpet.core.masks import write_mask
from limpet.demo.demo_clip import demo_masks, demo_video
from limpet.results.journal import Journal
from limpet.video.open import open_video

PROGRAM = (sys.executable, "-c", "from limpet.cli.main import main; main()")


def make_clips(folder: Path, count: int, frames: int) -> None:
    """Folders of frames from the demo clip, each beginning at another frame, with their masks beside them."""
    from PIL import Image

    folder.mkdir(parents=True)
    masks = demo_masks()
    with open_video(demo_video()) as reader:
        images = [np.asarray(frame.image) for frame in reader]
    for number in range(count):
        begin = number * 7 % (len(images) - frames)
        clip = folder / f"clip-{number:02d}"
        clip.mkdir()
        for index in range(frames):
            Image.fromarray(images[begin + index]).save(clip / f"{index:03d}.jpg")
        write_mask(folder / f"{clip.name}.png", masks[begin])


def start(clips: Path, out: Path, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    """The command, with what it says in a file beside its folder."""
    size = ("--model", options.model, "--max-size", str(options.max_size), "--device", "cpu")
    words = (
        "batch",
        str(clips),
        "--out",
        str(out),
        "--workers",
        str(options.workers),
        "--retries",
        "9",
        *size,
    )
    with out.with_suffix(".log").open("ab") as log:
        return subprocess.Popen([*PROGRAM, *words], stdout=log, stderr=log)


def digests(folder: Path) -> dict[str, str]:
    """Every file of the results, and the summary."""
    files = [path for path in folder.rglob("*") if path.is_file() and BATCH_FOLDER not in path.parts]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name != SUMMARY_FILES[1]  # has the name of its folder
    }


def workers_of(process: int) -> list[int]:
    """Processes that a process started, as /proc tells."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def kill_something(process: subprocess.Popen[bytes], chance: random.Random) -> str:
    """Kill the command, or one of its workers; returns which."""
    workers = workers_of(process.pid)
    if workers and chance.random() < 0.5:
        try:
            os.kill(chance.choice(workers), signal.SIGKILL)
        except ProcessLookupError:
            return "nothing"
        return "worker"
    process.kill()
    process.wait()
    return "command"


def ended(out: Path) -> Counter[str]:
    """How often each job has ended; once is right."""
    lines = Journal(out / BATCH_FOLDER / "journal.txt").read()
    return Counter(line.facts["name"] for line in lines if line.kind == ENDED)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--moments", type=int, default=20, help="kills")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--frames", type=int, default=24, help="of each clip")
    parser.add_argument("--model", default="deaot-nano")
    parser.add_argument("--max-size", type=int, default=96, help="small, so that a clip takes seconds")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to work; it is kept")
    return parser.parse_args()


def main() -> int:
    options = parse()
    print("\n".join(machine_lines(describe_machine())))
    folder = options.folder or Path(tempfile.mkdtemp(prefix="kill-batch-"))
    clips, chance = folder / "clips", random.Random(options.seed)
    make_clips(clips, options.clips, options.frames)
    begin = time.monotonic()
    if start(clips, folder / "undisturbed", options).wait():
        raise SystemExit(f"the undisturbed run failed; see {folder}/undisturbed.log")
    seconds = time.monotonic() - begin
    print(f"undisturbed: {options.clips} clips of {options.frames} frames in {seconds:.1f} s")
    kills: Counter[str] = Counter()
    process = start(clips, folder / "killed", options)
    while kills.total() < options.moments:
        until = time.monotonic() + chance.uniform(0, 2 * seconds / options.moments)
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        if process.poll() is not None:
            break  # it was done before all moments had come
        kills[kill_something(process, chance)] += 1
        if process.poll() is not None:
            process = start(clips, folder / "killed", options)
    code = process.wait()
    again = {name: count for name, count in ended(folder / "killed").items() if count > 1}
    same = digests(folder / "killed") == digests(folder / "undisturbed")
    print(
        f"{kills.total()} kills: {kills['command']} of the command, {kills['worker']} of a worker; the last command "
        f"ended with {code}; jobs done more than once: {len(again)}; all results identical: {'yes' if same else 'NO'}"
    )
    good = same and code == 0 and not again
    if good and options.folder is None:
        shutil.rmtree(folder)
    else:
        print(f"everything is in {folder}")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
