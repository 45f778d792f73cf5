"""Files of other programs: names that lead out, entities, lies about sizes, and JSON that is none."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from exchange.sequences import hard_clip

from limpet.exchange.formats import read_masks, write_masks

from .case import Case, as_json, written
from .masks import PNG

XML = '<?xml version="1.0"?>\n'
TRACK = (
    '<annotations><version>1.1</version><meta><task><size>2</size><original_size><width>16</width>'
    "<height>12</height></original_size></task></meta>"
    '<track id="0" label="{label}"><mask frame="{frame}" outside="0" occluded="0" rle="{rle}" left="1" top="2" '
    'width="3" height="2" z_order="0"></mask></track></annotations>'
)  # fmt: skip


def _read(path: Path) -> str:
    masks = read_masks(path)
    frames = list(masks)
    seen = sum(bool(frame.labels.any()) for frame in frames)
    return f"{len(masks.names)} objects, masks in {seen} frames of {masks.size[0]}x{masks.size[1]}"


@cache
def _written(format: str, suffix: str) -> str:
    """The text of a whole file of a format."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"m{suffix}"
        write_masks(hard_clip(), path, format)
        return path.read_text()


def _coco() -> str:
    return _written("coco", ".json")


def _edited(*changes: tuple[tuple[Any, ...], Any]) -> bytes:
    content = json.loads(_coco())
    for path, value in changes:
        place = content
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
    return as_json(content)


def _jsons() -> Iterator[tuple[str, bytes]]:
    first = ("annotations", 0)
    yield "COCO, whole", _coco().encode()
    yield "COCO, with a byte order mark", b"\xef\xbb\xbf" + _coco().encode()
    yield "COCO, in UTF-16", _coco().encode("utf-16")
    yield "COCO, cut off", _coco().encode()[:500]
    yield "JSON, empty", b""
    yield "JSON, null", b"null"
    yield "JSON, a number of 5,000 digits", b'{"images": [' + b"9" * 5000 + b"]}"
    yield "JSON, nested 100,000 deep", b'{"images": ' + b"[" * 100_000
    yield "JSON, NaN", b'{"images": [NaN]}'
    yield "JSON, of an unknown program", b'{"hello": 1}'
    for what, value in {
        "negative": -1, "0": 0, "enormous": 10**9, "no number": "x", "a fraction": 24.5, "NaN": float("nan"),
        "a list": [24],
    }.items():  # fmt: skip
        yield f"COCO, a height that is {what}", _edited((("images", 0, "height"), value))
    yield "COCO, two images of one frame", _edited((("images", 1, "frame_index"), 0))
    yield "COCO, an image that is missing", _edited(((*first, "image_id"), 999))
    yield "COCO, an object of id 0", _edited(((*first, "category_id"), 0))
    yield (
        "COCO, RLE longer than the frame",
        _edited(((*first, "segmentation"), {"size": [24, 40], "counts": [5000, 5000]})),
    )
    yield (
        "COCO, RLE that is negative",
        _edited(((*first, "segmentation"), {"size": [24, 40], "counts": [-1, 961]})),
    )
    yield "COCO, RLE of another size", _edited(((*first, "segmentation"), {"size": [9, 9], "counts": [81]}))
    yield "COCO, RLE of rubbish", _edited(((*first, "segmentation"), {"size": [24, 40], "counts": "~~~~~~"}))
    yield (
        "COCO, RLE of control characters",
        _edited(((*first, "segmentation"), {"size": [24, 40], "counts": "\x00\x1b"})),
    )
    yield "COCO, a polygon of NaN", _edited(((*first, "segmentation"), [[float("nan")] * 6]))
    yield "COCO, a polygon far outside", _edited(((*first, "segmentation"), [[1e9, 1e9, 2e9, 1e9, 2e9, 2e9]]))
    yield "COCO, a polygon of two numbers", _edited(((*first, "segmentation"), [[1, 2]]))
    yield "COCO, a name with markup", _edited((("categories", 0, "name"), "<img src=x onerror=alert(1)>"))
    yield "COCO, a name with control characters", _edited((("categories", 0, "name"), "\x1b]0;x\x07"))
    yield "COCO, images that lie elsewhere", _edited((("images", 0, "file_name"), "../../../etc/passwd"))


def _zip(**files: bytes | str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _track(label: str = "cat", frame: str = "0", rle: str = "0, 6") -> str:
    return XML + TRACK.format(label=label, frame=frame, rle=rle)


def _xmls() -> Iterator[tuple[str, str]]:
    lol = "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10 if k else "lol"}">' for k in range(12))
    yield "CVAT, whole", _track()
    yield "CVAT, a billion laughs", f"{XML}<!DOCTYPE a [{lol}]><annotations>&l11;</annotations>"
    yield "CVAT, a file as an entity", f'{XML}<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>{TRACK.format(label="&x;", frame=0, rle="0, 6")}'  # fmt: skip
    yield "CVAT, an address as an entity", f'{XML}<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:9/">]><annotations>&x;</annotations>'  # fmt: skip
    yield "CVAT, nested 100,000 deep", XML + "<annotations>" * 100_000
    yield "CVAT, cut off", _track()[:200]
    yield "CVAT, a frame of -1", _track(frame="-1")
    yield "CVAT, a frame of a billion", _track(frame="1000000000")
    yield "CVAT, a frame that is no number", _track(frame="x")
    yield "CVAT, RLE too long", _track(rle="0, 600")
    yield "CVAT, RLE that is no number", _track(rle="a, b")
    yield "CVAT, RLE of enormous numbers", _track(rle="99999999999999999999999")
    yield "CVAT, a name with markup", _track(label="&lt;b&gt;x&lt;/b&gt;")
    yield "XML, another root", XML + "<html></html>"


def _zips() -> Iterator[tuple[str, bytes]]:
    names = {"annotations.xml": _track()}
    yield "zip, whole", _zip(**names)
    for name in ("../evil.xml", "/etc/evil.xml", "..\\evil.xml", "C:/evil.xml", "a/../../evil.xml"):
        yield f"zip, a file named {name}", _zip(**names, **{name: "x"})
    yield "zip, a bomb of 200 MB", _zip(**{"annotations.xml": bytes(200_000_000)})
    yield "zip, cut off", _zip(**names)[:100]
    yield "zip, its index damaged", _zip(**names)[:-30] + bytes(30)
    yield "zip, a name with control characters", _zip(**names, **{"\x1b[2J.txt": "x"})
    yield "zip, without annotations", _zip(**{"readme.txt": "x"})
    yield (
        "zip, a label map without pictures",
        _zip(**{"labelmap.txt": "# label:color_rgb:parts:actions\ncat:1,2,3::\n"}),
    )
    yield "zip, a picture that is text", _zip(
        **{"labelmap.txt": "# label:color_rgb:parts:actions\ncat:1,2,3::\n", "SegmentationObject/0.png": "x", "SegmentationClass/0.png": "x"}
    )  # fmt: skip


def _lines() -> Iterator[tuple[str, str]]:
    line = _written("mots-txt", ".txt").splitlines()[0]
    frame, number, kind, height, width, rle = line.split(" ")
    rest = f"{height} {width} {rle}"
    yield "MOTS, whole", line + "\n"
    yield "MOTS, three words", f"{frame} {number} {kind}\n"
    yield "MOTS, a frame of -1", f"-1 {number} {kind} {rest}\n"
    yield "MOTS, a size of 0", f"{frame} {number} {kind} 0 0 {rle}\n"
    yield "MOTS, a size of a million", f"{frame} {number} {kind} 1000000 1000000 {rle}\n"
    yield "MOTS, sizes that differ", f"{line}\n1 {number} {kind} 9 9 {rle}\n"
    yield "MOTS, RLE of rubbish", f"{frame} {number} {kind} {height} {width} \x7f\x7f\x7f\n"
    yield "MOTS, an id of 0", f"{frame} 0 {kind} {rest}\n"
    yield "MOTS, the same line twice", f"{line}\n{line}\n"
    yield "MOTS, empty", ""


def _folder(names: dict[str, bytes], at: Path) -> Path:
    for name, data in names.items():
        (at / "masks" / name).parent.mkdir(parents=True, exist_ok=True)
        (at / "masks" / name).write_bytes(data)
    return at / "masks"


def cases() -> Iterator[Case]:
    """All files of other programs."""
    group = "Annotations of other programs"
    for name, data in _jsons():
        yield Case(group, name, written("m.json", data), _read)
    for name, text in _xmls():
        yield Case(group, name, written("m.xml", text), _read)
    for name, data in _zips():
        yield Case(group, name, written("m.zip", data), _read)
    for name, text in _lines():
        yield Case(group, name, written("m.txt", text), _read)
    folders: dict[str, dict[str, bytes]] = {
        "folder of masks": {"00000.png": PNG, "00001.png": PNG},
        "folder of masks, one damaged": {"00000.png": PNG, "00001.png": PNG[:60]},
        "folder of masks, one empty": {"00000.png": PNG, "00001.png": b""},
        "folder of objects, a list that leads out": {
            "objects.json": b'{"objects": [{"folder": "../x", "id": 1}]}'
        },
        "folder of objects, a list that is a list": {"objects.json": b"[]"},
    }
    for name, files in folders.items():
        yield Case(group, name, lambda at, files=files: _folder(files, at), _read)  # type: ignore[misc]
