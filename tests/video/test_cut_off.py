"""Only a video whose end is missing is reported as cut off."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from limpet.video.open import open_video

from .clips import make_clip

STILL = [index / 30 for index in range(15)] + [1 + index for index in range(1, 6)] + [8.0, 8.1]
"""A screen recording: a variable rate, and one frame that stays for seconds."""


def read(path: Path) -> tuple[int, list[str]]:
    with open_video(path) as video:
        return sum(1 for _ in video), video.failures


def trimmed(source: Path, target: Path, frames: int) -> Path:
    """The packets of ``source``, the first ``frames`` of which lie before the beginning: an edit list hides them."""
    with (
        av.open(str(source)) as old,
        av.open(str(target), "w", options={"avoid_negative_ts": "disabled"}) as new,
    ):
        stream = new.add_stream_from_template(old.streams.video[0], opaque=True)
        for packet in old.demux(video=0):
            if packet.dts is None:
                continue
            shift = round(frames / 25 / packet.time_base)
            packet.stream = stream
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            new.mux(packet)
    return target


def test_a_trimmed_video_is_complete(tmp_path: Path) -> None:
    """Phones and editors trim without encoding again."""
    source = make_clip(tmp_path / "source.mp4", 30)
    count, failures = read(trimmed(source, tmp_path / "trimmed.mp4", 6))
    assert 23 <= count <= 25 and failures == []


@pytest.mark.parametrize("name", ["clip.mkv", "clip.webm", "clip.mp4", "clip.mov"])
def test_a_variable_rate_is_no_damage(tmp_path: Path, name: str) -> None:
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    path = make_clip(tmp_path / name, len(STILL), times=STILL, codec=codec)
    assert read(path) == (len(STILL), [])


@pytest.mark.parametrize("name", ["clip.mkv", "clip.webm", "clip.mp4"])
def test_a_truncated_file_is_reported(tmp_path: Path, name: str) -> None:
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    path = make_clip(tmp_path / name, 40, codec=codec)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    count, failures = read(path)
    assert 3 < count < 38 and "cut off or damaged" in str(failures[-1])
