"""What a person may name besides files: a camera, an address, a pipe. How each is opened, and why it cannot be."""

from __future__ import annotations

import os
import re
import select
import sys
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

from limpet.core.errors import VideoError

if TYPE_CHECKING:
    from av.container import InputContainer


PATIENCE = 10.0
"""Seconds without anything from an address after which it counts as lost."""
STANDARD_INPUT = "-"
_CAMERA = re.compile(r"camera:(.*)", re.DOTALL)
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PACED = (
    "rtsp",
    "rtsps",
    "rtmp",
    "rtmps",
    "rtp",
    "srtp",
    "udp",
    "srt",
)  # these send when it is time, wanted or not
_SERVED = ("http", "https", "tcp", "tls")  # these wait until they are read
_NETWORK = ",".join(
    ("rtp", "rtsp", "rtmp", "rtmps", "srtp", "srt", "udp", "tcp", "tls", "http", "https", "httpproxy")
)
_DEVICES = {"darwin": ("avfoundation", "{}:none"), "win32": ("dshow", "video={}")}
_FORMATS = "expected MPEG-TS, mkv, webm, y4m, mjpeg or fragmented mp4"


class Source(ABC):
    """Where frames come from, one after another and once.

    Attributes:
        name: how to call it: without a password, and without what could not be in a file's name.
        live: whether it goes on whether or not frames are taken, and without an end.
    """

    name: str
    live: bool = False

    @abstractmethod
    def open(self) -> InputContainer:
        """What FFmpeg makes of it; the caller closes it. Raises VideoError."""

    def why(self) -> VideoError | None:
        """Why no frame came, where that is known."""
        return None

    def stop(self) -> None:  # noqa: B027 - most need not do anything
        """Let a thread that waits for data go on, if that can be done."""

    def release(self) -> None:  # noqa: B027
        """To be called after the last use."""


class Camera(Source):
    """A camera of this computer: its number, or what the system calls it."""

    live = True

    def __init__(self, camera: str) -> None:
        self.name = f"camera {Path(camera).name}"
        self._camera = camera or "0"

    def open(self) -> InputContainer:
        kind, file = camera_device(self._camera, sys.platform)
        return _opened(self.name, _camera_advice(file), file, format=kind)


def camera_device(camera: str, platform: str) -> tuple[str, str]:
    """What FFmpeg calls the way to cameras on ``platform``, and this one."""
    if platform in _DEVICES:
        kind, pattern = _DEVICES[platform]
        return kind, pattern.format(camera)
    return "v4l2", f"/dev/video{camera}" if camera.isdecimal() else camera


class Address(Source):
    """Something on the network that FFmpeg can open."""

    def __init__(self, address: str, scheme: str) -> None:
        parts = urlsplit(address)
        self.name = f"{scheme}://{(parts.netloc.rpartition('@')[2] + parts.path).rstrip('/')}"
        self.live = scheme in _PACED
        self._address = address

    def open(self) -> InputContainer:
        # Not "file": what comes from the network must not name files of this computer.
        options = {"protocol_whitelist": _NETWORK}
        if self._address.lower().startswith("rtsp"):
            options["rtsp_flags"] = "prefer_tcp"  # UDP loses packets
        advice = "check the address, and that something is sent there"
        return _opened(self.name, advice, self._address, options=options, timeout=PATIENCE)


class Pipe(Source):
    """Bytes from another program."""

    def __init__(self, name: str, data: PipeInput) -> None:
        self.name, self._data = name, data

    def open(self) -> InputContainer:
        try:
            # No protocol at all: what comes through must not lead anywhere else.
            return _opened(self.name, _FORMATS, self._data, options={"protocol_whitelist": "pipe"})
        except VideoError as error:
            raise self.why() or error from error

    def stop(self) -> None:
        self._data.stop()

    def why(self) -> VideoError | None:
        if not self._data.count:
            return VideoError(f"nothing came through {self.name} (0 bytes); does the program before it work?")
        if self._data.head[4:8] == b"ftyp":
            return VideoError(
                f"{self.name} brings an MP4 whose index comes last or not at all, so that it cannot be read as it "
                "comes; give the file itself, or let the program write mkv or MPEG-TS"
            )
        return None


class NamedPipe(Pipe):
    """A pipe in the file system (mkfifo)."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.name, PipeInput(None, first_writer=True))
        self._path = path
        self._descriptor: int | None = None

    def open(self) -> InputContainer:
        try:
            # Without O_NONBLOCK this would wait, deaf to everything, until somebody opens the other end.
            self._descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError as error:
            raise VideoError(f"{self._path} cannot be read: {_lower(error.strerror)}") from error
        self._data.connect(self._descriptor)
        return super().open()

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def find_source(named: str | Path) -> Source | None:
    """What ``named`` stands for, if it is no file or folder.

    Raises:
        VideoError: a kind of address that cannot be read; or standard input, and it is a terminal.
    """
    text = str(named)
    if text == STANDARD_INPUT:
        return _standard_input()
    if camera := _CAMERA.fullmatch(text):
        return Camera(camera[1])
    if address := _ADDRESS.match(text):
        scheme = address[1].lower()
        if scheme not in (*_PACED, *_SERVED):
            raise VideoError(
                f"{scheme}:// is no kind of address that can be read; expected one of "
                f"{', '.join(sorted((*_PACED, *_SERVED)))}"
            )
        return Address(text, scheme)
    path = Path(named)
    return NamedPipe(path) if path.is_fifo() else None


def _standard_input() -> Source:
    stream = sys.stdin
    if stream is None or stream.closed or stream.isatty():
        raise VideoError(
            "- means that the video comes through standard input, but nothing is sent there; for instance: "
            "cat clip.mkv | limpet track - --mask first.png"
        )
    try:
        return Pipe("standard input", PipeInput(stream.fileno()))
    except OSError:  # it was replaced by something in Python
        return Pipe("standard input", PipeInput(cast(Readable, stream.buffer)))


def _opened(name: str, advice: str, file: Any, **settings: Any) -> InputContainer:
    import av
    from av.error import ExitError, FFmpegError, InvalidDataError

    try:
        container: InputContainer = av.open(file, mode="r", metadata_errors="replace", **settings)
        return container
    except (ExitError, TimeoutError) as error:
        raise VideoError(f"nothing came from {name} for {PATIENCE:.0f} s; {advice}") from error
    except InvalidDataError as error:
        raise VideoError(f"{name} is not a video that can be read as it comes; {advice}") from error
    except FFmpegError as error:
        raise VideoError(f"{name} cannot be opened: {_lower(error.strerror)}; {advice}") from error


def _lower(reason: str | None) -> str:
    return f"{reason[:1].lower()}{reason[1:]}" if reason else "FFmpeg does not say why"


def _camera_advice(file: str) -> str:
    if sys.platform in _DEVICES:
        return "check that it is connected, is not used by another program, and that this one may use cameras"
    there = ", ".join(path.name.removeprefix("video") for path in sorted(Path("/dev").glob("video*")))
    if Path(file).exists() and not os.access(file, os.R_OK):
        return "you may not use it; ask to be in the group 'video'"
    return f"check that it is connected and not used by another program; cameras here: {there or 'none'}"


_LOOK_UP = 0.1  # seconds after which a reader that waits sees that it was stopped
HEAD = 12


class Readable(Protocol):
    """A binary file, in so far as it is read."""

    def read(self, size: int, /) -> bytes: ...


class PipeInput:
    """What PyAV takes for a file that cannot be sought in.

    Args:
        source: a file descriptor (it stays the caller's), or anything with ``read``; None: ``connect`` says later.
        first_writer: a named pipe may be empty because nobody has opened it for writing yet: wait for that.

    Attributes:
        count: how many bytes came. head: the first of them.
    """

    def __init__(self, source: int | Readable | None, *, first_writer: bool = False) -> None:
        self._source, self._first_writer = source, first_writer
        self._stopped = threading.Event()
        self.count, self.head = 0, b""

    def connect(self, source: int | Readable) -> None:
        """Read from this from now on."""
        self._source = source

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes as they come; b"" at the end, and once stopped."""
        data = self._read_some(size)
        self.count += len(data)
        if len(self.head) < HEAD:
            self.head = (self.head + data)[:HEAD]
        return data

    def stop(self) -> None:
        """End the waiting of another thread."""
        self._stopped.set()

    def _read_some(self, size: int) -> bytes:
        if self._source is None or self._stopped.is_set():
            return b""
        if not isinstance(self._source, int):
            return self._source.read(size)
        while not self._stopped.is_set():
            if not _has_come(self._source):
                continue
            data = os.read(self._source, size)
            if data or self.count or not self._first_writer:
                return data
            self._stopped.wait(_LOOK_UP)
        return b""


def _has_come(descriptor: int) -> bool:
    if os.name == "nt":  # select knows sockets only; there a read waits for ever
        return True
    return bool(select.select([descriptor], [], [], _LOOK_UP)[0])
