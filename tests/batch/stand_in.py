"""A worker's process without torch: it writes a text in place of masks, and does what the name of a job says.

    python stand_in.py: as ``python -m limpet.batch.worker_main``.

``die…`` kills itself the first time; ``always-die…`` each time; ``slow…`` takes a minute; ``large…`` takes memory;
``odd…`` fails with an error that was not expected; ``bad…`` fails in words.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from limpet.batch.job import JobTask, OnFrames
from limpet.batch.ledger import JobOutcome
from limpet.batch.worker_main import serve

SAID = "said.txt"


def act(task: JobTask, on_frames: OnFrames) -> JobOutcome:
    name, folder = task.job.name, Path(task.folder)
    folder.mkdir(exist_ok=True)
    with (folder / SAID).open("a") as file:
        file.write(f"{os.getpid()} {task.start_again}\n")
    tries = len((folder / SAID).read_text().splitlines())
    if name.startswith("always-die") or (name.startswith("die") and tries == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("slow"):
        time.sleep(60)
    if name.startswith("large"):
        kept = bytearray(os.urandom(1 << 20) * 400)
        time.sleep(60)
        del kept
    if name.startswith("odd"):
        return JobOutcome("failed", "KeyError: 'odd'", again=True)
    if name.startswith("bad"):
        return JobOutcome("failed", "<b>the video</b> is bad")
    (folder / "report.json").write_text("{}")
    return JobOutcome("done", frames=3, object_ids=(7, 200), lost=(7,), look_first=("object 7 lost",))


if __name__ == "__main__":
    serve(act)
