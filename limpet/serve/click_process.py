"""The model for clicks in a process of its own, so that neither torch nor an ONNX runtime is in the server's memory.

The process takes requests from its standard input and answers on its standard output: a line of JSON each, and the
pixels after it. It ends when its input ends, because the server was killed or nobody has clicked for a while.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any

import numpy as np

from limpet.core.errors import LimpetError, ModelError
from limpet.core.files import take_stdout
from limpet.core.tracker_protocol import Image, Mask
from limpet.segment.choose_segmenter import load_segmenter, segmenter_files
from limpet.segment.clicks.click_config import NAME, NOTE
from limpet.segment.segmenter import Click, Segmenter, check_clicks

IDLE_SECONDS = 600.0
"""How long it waits for a click; the next one starts it again."""
_ENDED = "the process of the model for clicks ended; click again"


class ClickProcess:
    """Implements ``limpet.segment.Segmenter``.

    Its process is started at once and loads the model while nobody waits for it.

    Args:
        model, device: as for ``load_segmenter``.
        idle_seconds: after the last click until the process ends.
        command: starts the process; None: this module.

    Raises:
        WeightsError: as for ``segmenter_files``. ModelError: ONNX files are not SAM's, or cannot be opened. What is
            wrong with weights inside is told to whoever clicks.
    """

    def __init__(
        self,
        model: str | None = None,
        device: str = "auto",
        idle_seconds: float = IDLE_SECONDS,
        command: Sequence[str] | None = None,
    ) -> None:
        own = [sys.executable, "-m", "limpet.serve.click_process", json.dumps([model, device])]
        self._command = command or own
        self._idle_seconds = idle_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._idle: threading.Timer | None = None
        self._lock = threading.RLock()
        self._loaded = False
        self.name, self.note = NAME, NOTE
        files = segmenter_files(model)
        self.prepare()
        if len(files) > 1:  # only opening them tells whether they are SAM's
            self._load()

    @property
    def process_id(self) -> int | None:
        """Of the process; None while there is none."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def prepare(self) -> None:
        """Start the process if there is none, because a click is likely."""
        with self._lock:
            if self.process_id is None:
                self.close()
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
                )
            self._wait_for_clicks()

    def segment(self, image: Image, clicks: Sequence[Click], mask: Mask | None = None) -> Mask:
        """See ``Segmenter``.

        Raises:
            MaskError: no click, or one outside of the image. ModelError: the model failed, or its process ended.
        """
        check_clicks(image, clicks)
        with self._lock:
            self.prepare()
            self._load()
            facts = {
                "clicks": [[c.x, c.y, c.positive] for c in clicks],
                "size": image.shape[:2],
                "mask": mask is not None,
            }
            self._send(facts, image, *([] if mask is None else [mask]))
            found = self._answer(image.shape[0] * image.shape[1])
            self._wait_for_clicks()
        return np.frombuffer(found, np.uint8).reshape(image.shape[:2])

    def close(self) -> None:
        """End the process; a click starts it again."""
        with self._lock:
            process, self._process, self._loaded = self._process, None, False
            if self._idle is not None:
                self._idle.cancel()
            if process is not None:
                process.kill()
                with suppress(OSError), process:  # which closes its pipes, and waits
                    pass

    def _load(self) -> None:
        """Wait until the model is loaded."""
        if not self._loaded:
            facts = json.loads(self._answer(None))
            self.name, self.note, self._loaded = facts["name"], facts["note"], True

    def _wait_for_clicks(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = threading.Timer(self._idle_seconds, self.close)
        self._idle.daemon = True
        self._idle.start()

    def _send(self, facts: dict[str, Any], *pixels: Image | Mask) -> None:
        assert self._process is not None and self._process.stdin is not None
        try:
            write(self._process.stdin, facts, *(np.ascontiguousarray(each, np.uint8).data for each in pixels))
        except OSError as error:
            self.close()
            raise ModelError(_ENDED) from error

    def _answer(self, nbytes: int | None) -> bytes:
        """The pixels of an answer; with None, its line. Raises ModelError."""
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline()
        facts = json.loads(line) if line else {"error": _ENDED}
        if "error" in facts:
            if not line or nbytes is None:  # without a model it is of no use
                self.close()
            raise ModelError(facts["error"])
        return line if nbytes is None else self._process.stdout.read(nbytes)


def write(out: IO[bytes], facts: dict[str, Any], *pixels: memoryview) -> None:
    """A line of JSON, and pixels after it."""
    out.write(json.dumps(facts).encode() + b"\n")
    for each in pixels:
        out.write(each)
    out.flush()


def answer_clicks(model: Segmenter, requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer until the input ends."""
    write(answers, {"name": model.name, "note": model.note})
    while line := requests.readline():
        facts = json.loads(line)
        height, width = facts["size"]
        image = np.frombuffer(requests.read(3 * height * width), np.uint8).reshape(height, width, 3)
        plane = requests.read(height * width) if facts["mask"] else b""
        mask = np.frombuffer(plane, np.uint8).reshape(height, width) if plane else None
        try:
            found = model.segment(image, [Click(*each) for each in facts["clicks"]], mask)
        except Exception as error:
            write(answers, {"error": _sentence(error)})
        else:
            write(answers, {}, np.ascontiguousarray(found).data)


def main() -> None:
    """The process: its argument is a model and a device, as JSON."""
    model, device = json.loads(sys.argv[1])
    answers = take_stdout()
    try:
        loaded = load_segmenter(model, device)
        assert loaded is not None
    except Exception as error:
        write(answers.buffer, {"error": _sentence(error)})
    else:
        answer_clicks(loaded, sys.stdin.buffer, answers.buffer)


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, LimpetError) else f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
