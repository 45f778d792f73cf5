"""Videos and folders of frames: whole, cut, damaged, and what only looks like one."""

from __future__ import annotations

import tempfile
import wave
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
from PIL import Image
from video.clips import make_clip, picture

from limpet.video.open import open_video

from .case import Case, written
from .masks import PNG, header, saved

COUNT = 30
CODECS = {
    "mp4": ("clip.mp4", "libx264"),
    "mkv": ("clip.mkv", "ffv1"),
    "avi": ("clip.avi", "mpeg4"),
    "mov": ("clip.mov", "mjpeg"),
    "webm": ("clip.webm", "libvpx-vp9"),
    "ts": ("clip.ts", "mpeg2video"),
}


@cache
def video(kind: str) -> bytes:
    """The bytes of a clip of thirty frames."""
    name, codec = CODECS[kind]
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    with tempfile.TemporaryDirectory() as folder:
        return make_clip(Path(folder) / name, COUNT, codec=codec, pixels=pixels).read_bytes()


def _read(path: Path) -> str:
    with open_video(path) as reader:
        frames = list(reader.frames_from(0))
        shown = sum(frame.image is not None for frame in frames)
        words = f"{shown} of {len(frames)} frames of {reader.size[0]}x{reader.size[1]}"
        kinds = sorted({str(failure.kind) for failure in reader.failures})
        return words + (f"; told: {', '.join(kinds)}" if kinds else "")


def _of(kind: str, change: Callable[[bytes], bytes], path: Path) -> Path:
    return written(CODECS[kind][0], change(video(kind)))(path)


def _middle_zero(data: bytes) -> bytes:
    third = len(data) // 3
    return data[:third] + bytes(third) + data[2 * third :]


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "whole": lambda data: data,
    "cut off at a tenth": lambda data: data[: len(data) // 10],
    "cut off at half": lambda data: data[: len(data) // 2],
    "cut off at nine tenths": lambda data: data[: 9 * len(data) // 10],
    "without its first 100 bytes": lambda data: data[100:],
    "a third of it zero": _middle_zero,
    "rubbish after its end": lambda data: data + b"rubbish" * 50,
}

_FOREIGN: dict[str, tuple[str, str | bytes]] = {
    "empty": ("clip.mp4", b""),
    "one byte": ("clip.mp4", b"\0"),
    "text": ("clip.mp4", "this is a video"),
    "an HTML page": ("clip.mp4", "<!DOCTYPE html><html></html>"),
    "zeros": ("clip.mp4", bytes(5000)),
    "a playlist of an address": ("clip.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"),
    "a playlist of a file": ("clip.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n"),
    "a concat list": ("clip.mp4", "ffconcat version 1.0\nfile /etc/passwd\n"),
    "a session description": ("clip.mp4", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n"),
    "a DASH manifest": ("clip.mp4", '<?xml version="1.0"?><MPD><Period><BaseURL>http://127.0.0.1:9/</BaseURL></Period></MPD>'),
    "subtitles": ("clip.srt", "1\n00:00:00,000 --> 00:00:01,000\nhello\n"),
    "an mp4 of 16 EB": ("clip.mp4", b"\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(50)),
    "an mp4 of boxes within boxes": ("clip.mp4", b"\0\0\0\x18ftypisom\0\0\0\0isomisom" + b"\0\0\x10\0moov" * 300),
    "a Matroska header alone": ("clip.mkv", b"\x1aE\xdf\xa3\x84B\x86\x81\x01"),
    "an AVI header alone": ("clip.avi", b"RIFF\xff\xff\xff\x7fAVI LIST\xff\xff\xff\x7fhdrl"),
    "a pickle": ("clip.mp4", b"\x80\x04\x8c\x02os\x8c\x06system\x93."),
    "Y4M that states 100000 pixels a side": ("clip.y4m", "YUV4MPEG2 W100000 H100000 F25:1 C420\nFRAME\n"),
    "Y4M of negative size": ("clip.y4m", "YUV4MPEG2 W-5 H-5 F25:1 C420\nFRAME\n"),
    "Y4M of a rate of 0": ("clip.y4m", b"YUV4MPEG2 W4 H4 F0:0 C420\nFRAME\n" + bytes(24)),
}  # fmt: skip


def _sound(folder: Path) -> Path:
    with wave.open(str(folder / "clip.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(1600))
    return folder / "clip.wav"


Shots = dict[str, bytes]


def _shots(files: Shots, folder: Path) -> Path:
    shots = folder / "shots"
    shots.mkdir()
    for name, data in files.items():
        (shots / name).write_bytes(data)
    return shots


@cache
def _shot(index: int) -> bytes:
    return saved(picture(index, (9, 11)))


def _folders() -> Iterator[tuple[str, Shots]]:
    good = {f"{k:03d}.png": _shot(k) for k in range(3)}
    deep = saved(np.full((9, 11), 3000, np.uint16))
    yield "three frames", good
    yield "no file", {}
    yield "no picture", {"a.txt": b"x", "b.json": b"{}"}
    yield "one frame", {"000.png": _shot(0)}
    yield "a frame that is empty", good | {"001.png": b""}
    yield "a first frame that is empty", good | {"000.png": b""}
    yield "a frame that is cut off", good | {"001.png": _shot(1)[:60]}
    yield "a frame that is text", good | {"001.png": b"text"}
    yield (
        "a frame that is PostScript",
        good | {"001.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 11 9\n%%EOF\n"},
    )
    yield "a frame of another size", good | {"001.png": saved(picture(0, (9, 12)))}
    yield "a frame that states 60000x60000", good | {"001.png": header(60_000, 60_000)}
    yield "only damaged frames", {"0.png": b"x", "1.png": b"y"}
    yield "numbers with gaps", {f"a_{k}.png": _shot(k) for k in (1, 2, 10)}
    yield "names that are hidden", good | {".000.png": b"x", "._001.png": b"y"}
    yield "names with control characters", {"a\x1b[2J.png": _shot(0), "b\n.png": b"x"}
    yield "16-bit frames", {f"{k}.png": deep for k in range(2)}
    yield "masks as frames", {f"{k}.png": PNG for k in range(2)}
    yield "JPEG frames", {f"{k}.jpg": saved(picture(k, (9, 11)), "JPEG") for k in range(2)}
    yield "a CMYK frame", {"0.jpg": saved(Image.fromarray(picture(0, (9, 11))).convert("CMYK"), "JPEG")}
    yield "frames of one pixel", {f"{k}.png": saved(picture(k, (1, 1))) for k in range(2)}
    yield "suffixes in capitals", {f"{k}.PNG": _shot(k) for k in range(2)}


def _linked(folder: Path) -> Path:
    shots = _shots({"000.png": _shot(0), "002.png": _shot(2)}, folder)
    (shots / "001.png").symlink_to("nowhere.png")
    return shots


def cases() -> Iterator[Case]:
    """All videos and folders of frames."""
    for kind in CODECS:
        for name, change in CHANGES.items():
            yield Case("Videos", f"{kind}, {name}", partial(_of, kind, change), _read)
    yield Case("Videos", "mp4 named .mkv", lambda at: written("clip.mkv", video("mp4"))(at), _read)
    yield Case("Videos", "two transport streams in one", partial(_of, "ts", lambda data: data + data), _read)
    yield Case("Videos", "sound alone", _sound, _read)
    yield Case("Videos", "missing", lambda at: at / "clip.mp4", _read)
    for name, (file, data) in _FOREIGN.items():
        yield Case("Videos", f"{name} named {Path(file).suffix}", written(file, data), _read)
    for name, files in _folders():
        yield Case("Folders of frames", name, partial(_shots, files), _read)
    yield Case("Folders of frames", "a broken link among them", _linked, _read)
