"""Videos with alpha: straight, with the right tags and times, and as strangers hand them over."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import MaskError
from limpet.exchange.alpha_video import CODECS
from limpet.exchange.formats import read_masks, write_masks
from limpet.exchange.options import ConversionOptions

from .sequences import SIZE, TIMES, clip_of, hard_labels


def one_object() -> dict[int, np.ndarray]:
    return {index: (labels == 1).astype(np.uint8) * np.uint8(7) for index, labels in hard_labels().items()}


def decoded(path: Path) -> list[np.ndarray]:
    """Every frame as uint8 (H, W, 4)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        name = stream.codec_context.name
        decoder = av.CodecContext.create("libvpx-vp9", "r") if name == "vp9" else stream.codec_context
        decoder.thread_count = 1
        return [
            f.reformat(format="rgba", threads=1).to_ndarray()  # its other threads may come too late
            for packet in container.demux(stream)
            for f in decoder.decode(packet)
        ]


@pytest.mark.parametrize("name", CODECS)
def test_colours_of_the_video_everywhere_and_tags(name: str, tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    picture = np.zeros((*SIZE, 3), np.uint8)
    picture[:, :20], picture[:, 20:] = (200, 40, 90), (10, 120, 220)
    for index in range(len(TIMES)):
        Image.fromarray(picture).save(tmp_path / "clip" / f"{index}.png")
    masks = clip_of(one_object(), {7: "red cat"}, len(TIMES), frame_rate=Fraction(25))
    write_masks(masks, tmp_path / "out", f"alpha-{name}", ConversionOptions(video=tmp_path / "clip"))
    codec = CODECS[name]
    path = tmp_path / "out" / f"007-red-cat{codec.suffix}"
    for index, pixels in enumerate(decoded(path)):
        wrong = (pixels[..., 3] >= 128) != (one_object()[index] > 0)
        assert not wrong.any(), f"{wrong.sum()} pixels of frame {index}"
        inside = np.s_[:, 2:18]  # away from the edge, where VP9 halves the colours' resolution
        assert np.abs(pixels[..., :3].astype(int) - picture)[inside].max() <= (0 if codec.is_rgb else 3), (
            "straight"
        )
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc) == (1, 1)
        assert context.colorspace == (0 if codec.is_rgb else 1)
        times = [float(p.pts * p.time_base) for p in container.demux(video=0) if p.pts is not None]
    assert times == pytest.approx(TIMES, abs=1e-3)


@pytest.mark.parametrize("name", ["prores", "vp9"])
def test_one_video_alone(name: str, tmp_path: Path) -> None:
    write_masks(clip_of(one_object(), {7: "cat"}, len(TIMES)), tmp_path / "out", f"alpha-{name}")
    back = read_masks(tmp_path / "out" / f"007-cat{CODECS[name].suffix}")
    assert dict(back.names) == {7: "cat"} and back.size == SIZE
    found = {frame.index: frame for frame in back}
    assert [np.array_equal(found[i].labels, one_object()[i]) for i in found] == [True] * len(TIMES)
    assert [frame.time for frame in found.values()] == pytest.approx(TIMES, abs=1e-3)


def test_frames_without_masks_are_transparent(tmp_path: Path) -> None:
    write_masks(clip_of({2: one_object()[0]}, {7: ""}, 4), tmp_path / "out", "alpha-qtrle")
    assert [bool(p[..., 3].any()) for p in decoded(tmp_path / "out" / "007.mov")] == [
        False,
        False,
        True,
        False,
    ]


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / "small" / "0.png")
    masks = clip_of(one_object(), {7: ""}, len(TIMES))
    with pytest.raises(MaskError, match="small is 4x6, but the masks are 24x40"):
        write_masks(masks, tmp_path / "out", "alpha-png", ConversionOptions(video=tmp_path / "small"))
    assert not (tmp_path / "out").exists()
    write_masks(masks, tmp_path / "out", "alpha-png")
    manifest = tmp_path / "out" / "objects.json"
    content = json.loads(manifest.read_text())
    for change, words in (
        ({"size": [4, 4]}, "is 24x40, but 4x4 is expected"),
        ({"frame_times": [0.0]}, "more than the 1 frames"),
        ({"objects": [{"id": 7, "name": "", "file": "../out/007.mov"}]}, "does not lie beside it"),
        ({"objects": [{"id": 7, "name": "", "file": "008.mov"}]}, "cannot be read as a video"),
        ({"objects": 5}, "is damaged"),
    ):
        manifest.write_text(json.dumps(content | change))
        with pytest.raises(MaskError, match=words):
            list(read_masks(tmp_path / "out"))


@pytest.mark.parametrize("which", [0, 1], ids=["colour", "alpha"])
def test_a_vp9_frame_that_states_another_size_takes_no_memory(tmp_path: Path, which: int) -> None:
    write_masks(clip_of(one_object(), {7: ""}, len(TIMES)), tmp_path / "out", "alpha-vp9")
    (path,) = (tmp_path / "out").glob("*.webm")
    data = bytearray(path.read_bytes())
    code = bytes.fromhex("498342")  # begins the header of a key frame, of colour and then of alpha
    at = data.find(code, data.find(code) + 1 if which else 0) + len(code)
    data[at : at + 4] = bytes([data[at] | 0x0F, 0xFF, 0xFF, 0xFF])
    path.write_bytes(bytes(data))
    with pytest.raises(MaskError, match=r"a frame states \d{5}x\d{5} pixels, the video 24x40|has frames of"):
        list(read_masks(tmp_path / "out"))


def test_a_video_without_alpha(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25, width=16, height=16, pix_fmt="bgr0")
        container.mux(
            stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24"))
        )
        container.mux(stream.encode(None))
    with pytest.raises(MaskError, match="has no alpha channel"):
        read_masks(tmp_path / "a.mkv")
    (tmp_path / "b.mov").write_bytes(b"no video")
    with pytest.raises(MaskError, match=r"b\.mov cannot be read as a video"):
        read_masks(tmp_path / "b.mov")
