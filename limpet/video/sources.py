"""Sources of live video: cameras, network addresses and pipes; how each is opened, and why it may fail."""

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


TIMEOUT = 10.0
"""Seconds without data after which a network address counts as lost."""
STANDARD_INPUT = "-"
_CAMERA = re.compile(r"camera:(.*)", re.DOTALL)
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PACED = ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srtp", "udp", "srt")
"""These send at their own pace, whether or not they are read."""
_SERVED = ("http", "https", "tcp", "tls")
"""These wait until they are read."""
_NETWORK = ",".join(
    ("rtp", "rtsp", "rtmp", "rtmps", "srtp", "srt", "udp", "tcp", "tls", "http", "https", "httpproxy")
)
_DEVICES = {"darwin": ("avfoundation", "{}:none"), "win32": ("dshow", "video={}")}
_FORMATS = "expected MPEG-TS, mkv, webm, y4m, mjpeg or fragmented mp4"


class Source(ABC):
    """A source whose frames come one after another, once.

    Attributes:
        name: for messages and file names; without a password.
        live: whether it sends at its own pace and has no end.
        ends_when_closed: whether a connection that is closed, where no length was stated, is its normal end.
    """

    name: str
    live: bool = False
    ends_when_closed: bool = False

    @abstractmethod
    def open(self) -> InputContainer:
        """Open it with FFmpeg; the caller closes the container. Raises VideoError."""

    def why(self) -> VideoError | None:
        """The reason why no frame came, where it is known."""
        return None

    def stop(self) -> None:  # noqa: B027 - most need not do anything
        """Wake a thread that waits for data, if possible."""

    def release(self) -> None:  # noqa: B027
        """Free resources; called after the last use."""


class Camera(Source):
    """A camera of this computer, by its number or its system name."""

    live = True

    def __init__(self, camera: str) -> None:
        self.name = f"camera {Path(camera).name}"
        self._camera = camera or "0"

    def open(self) -> InputContainer:
        kind, file = camera_device(self._camera, sys.platform)
        return _opened(self.name, _camera_advice(file), file, format=kind)


def camera_device(camera: str, platform: str) -> tuple[str, str]:
    """FFmpeg's input format and device name for a camera on ``platform``."""
    if platform in _DEVICES:
        kind, pattern = _DEVICES[platform]
        return kind, pattern.format(camera)
    return "v4l2", f"/dev/video{camera}" if camera.isdecimal() else camera


class Address(Source):
    """A network address that FFmpeg can open."""

    def __init__(self, address: str, scheme: str) -> None:
        parts = urlsplit(address)
        self.name = f"{scheme}://{(parts.netloc.rpartition('@')[2] + parts.path).rstrip('/')}"
        self.live = scheme in _PACED
        self.ends_when_closed = scheme in ("http", "https")
        self._address = address

    def open(self) -> InputContainer:
        # Without "file": data from the network must not refer to files of this computer.
        options = {"protocol_whitelist": _NETWORK}
        if self._address.lower().startswith("rtsp"):
            options["rtsp_flags"] = "prefer_tcp"  # UDP loses packets
        advice = "check the address, and that it is sending"
        return _opened(self.name, advice, self._address, options=options, timeout=TIMEOUT)


class Pipe(Source):
    """The output of another program."""

    def __init__(self, name: str, data: PipeInput) -> None:
        self.name, self._data = name, data

    def open(self) -> InputContainer:
        try:
            # No other protocol: the data must not refer to other files or addresses.
            return _opened(self.name, _FORMATS, self._data, options={"protocol_whitelist": "pipe"})
        except VideoError as error:
            raise self.why() or error from error

    def stop(self) -> None:
        self._data.stop()

    def why(self) -> VideoError | None:
        if not self._data.count:
            return VideoError(
                f"no data came through {self.name} (0 bytes); check the program that writes to it"
            )
        if self._data.head[4:8] == b"ftyp":
            return VideoError(
                f"{self.name} carries an MP4 whose index comes last or is missing, so that it cannot be read while it "
                "arrives; pass the file itself, or write mkv or MPEG-TS into the pipe"
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
            # Without O_NONBLOCK this call would block until another process opens the pipe for writing.
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
    """The source that ``named`` stands for; None for a file or folder.

    Raises:
        VideoError: the scheme of the address is unknown; or standard input is a terminal.
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
                f"addresses with {scheme}:// cannot be read; expected one of "
                f"{', '.join(sorted((*_PACED, *_SERVED)))}"
            )
        return Address(text, scheme)
    path = Path(named)
    return NamedPipe(path) if path.is_fifo() else None


def _standard_input() -> Source:
    stream = sys.stdin
    if stream is None or stream.closed or stream.isatty():
        raise VideoError(
            "- reads the video from standard input, but nothing is piped into it; for instance: "
            "cat clip.mkv | limpet track - --mask first.png"
        )
    try:
        return Pipe("standard input", PipeInput(stream.fileno()))
    except OSError:  # a Python object replaced it
        return Pipe("standard input", PipeInput(cast(Readable, stream.buffer)))


def _opened(name: str, advice: str, file: Any, **settings: Any) -> InputContainer:
    import av
    from av.error import ExitError, FFmpegError, InvalidDataError

    try:
        container: InputContainer = av.open(file, mode="r", metadata_errors="replace", **settings)
        return container
    except (ExitError, TimeoutError) as error:
        raise VideoError(f"no data came from {name} for {TIMEOUT:.0f} s; {advice}") from error
    except InvalidDataError as error:
        raise VideoError(f"{name} is not a video that can be read while it arrives; {advice}") from error
    except FFmpegError as error:
        raise VideoError(f"{name} cannot be opened: {_lower(error.strerror)}; {advice}") from error


def _lower(reason: str | None) -> str:
    return f"{reason[:1].lower()}{reason[1:]}" if reason else "FFmpeg does not say why"


def _camera_advice(file: str) -> str:
    if sys.platform in _DEVICES:
        return (
            "check that it is connected, not used by another program, and that this program may use cameras"
        )
    there = ", ".join(path.name.removeprefix("video") for path in sorted(Path("/dev").glob("video*")))
    if Path(file).exists() and not os.access(file, os.R_OK):
        return "you have no permission to read it; ask to be added to the group 'video'"
    return f"check that it is connected and not used by another program; cameras here: {there or 'none'}"


_POLL_SECONDS = 0.1  # how often a waiting reader checks whether it was stopped
HEAD = 12


class Readable(Protocol):
    """A binary file that can be read."""

    def read(self, size: int, /) -> bytes: ...


class PipeInput:
    """A file-like object for PyAV that cannot seek.

    Args:
        source: a file descriptor (the caller closes it), or an object with ``read``; None: set later by ``connect``.
        first_writer: wait until a named pipe has been opened for writing; until then reading it gives no bytes.

    Attributes:
        count: how many bytes were read. head: the first of them.
    """

    def __init__(self, source: int | Readable | None, *, first_writer: bool = False) -> None:
        self._source, self._first_writer = source, first_writer
        self._stopped = threading.Event()
        self.count, self.head = 0, b""

    def connect(self, source: int | Readable) -> None:
        """Set the source."""
        self._source = source

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes as they arrive; b"" at the end, and once stopped."""
        data = self._read_some(size)
        self.count += len(data)
        if len(self.head) < HEAD:
            self.head = (self.head + data)[:HEAD]
        return data

    def stop(self) -> None:
        """Make a waiting ``read`` in another thread return."""
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
            self._stopped.wait(_POLL_SECONDS)
        return b""


def _has_come(descriptor: int) -> bool:
    if os.name == "nt":  # select works only on sockets; a read blocks there
        return True
    return bool(select.select([descriptor], [], [], _POLL_SECONDS)[0])
