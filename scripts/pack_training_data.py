"""Packs what a training needs into a few small zip files, for a machine to which only little can be sent.

    python scripts/pack_training_data.py pack --stills DATA/stills --video DATA/davis2016:fit --out pack
    python scripts/pack_training_data.py unpack pack --out data

Photos and frames become WebP files of the highest quality at which all of them fit, masks PNG files without a palette.
What still does not fit is left out, photos at random, and counted. ``manifest.json`` beside the parts has the name,
size and sha256 of every part and file. What is unpacked has the layouts that ``limpet train`` reads, in ``stills`` and
in one folder for each set of videos. Parts may be unpacked one after another, each as it arrives.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import random
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from limpet.core.errors import DataError
from limpet.core.files import atomic_path
from limpet.core.masks import read_annotation
from limpet.core.provenance import commit
from limpet.data import StillsFolder, training_videos
from limpet.training.train_model import root_and_split

FORMAT = "limpet-training-data-1"
MANIFEST = "manifest.json"
LICENCE = (
    "The files remain under the licences of their owners (DAVIS: CC BY-NC 4.0; most photo sets: research use). They "
    "are packed for one's own training and must not be passed on."
)
QUALITIES = (92, 88, 84, 80, 75, 70, 65, 60, 55, 50)
SAMPLE = 60  # images of each kind by which the size is estimated
VIDEO_SIDE = 640
MIB = 2**20


@dataclass(frozen=True)
class Pair:
    """An image and its mask, their names in the pack without suffixes, and the longest side that is kept."""

    image: Path
    mask: Path
    image_name: str
    mask_name: str
    side: int

    def encoded(self, quality: int) -> dict[str, bytes]:
        """Both files by name."""
        with Image.open(self.image) as file:
            picture = file.convert("RGB")
        picture.thumbnail((self.side, self.side), Image.Resampling.LANCZOS)
        mask = Image.fromarray(np.ascontiguousarray(read_annotation(self.mask)))
        mask = mask.resize(picture.size, Image.Resampling.NEAREST)
        return {
            f"{self.image_name}.webp": _saved(picture, "WEBP", quality=quality, method=4),
            f"{self.mask_name}.png": _saved(mask, "PNG", optimize=True),
        }


def pack(
    out: Path,
    stills: Path | None,
    videos: Sequence[str],
    files: Sequence[Path] = (),
    parts: int = 2,
    part_mib: float = 44.0,
    photo_side: int = 400,
    licence: str = LICENCE,
) -> dict[str, Any]:
    """Write the parts and the manifest to the folder ``out``; returns the manifest.

    Args:
        stills: folder of photos, as of ``limpet train``; videos: ROOT:SPLIT, likewise.
        files: others to take along, such as weights to start from; they come out in ``files``.
        photo_side: longest side of the photos, in pixels.

    Raises:
        DataError: there is nothing to pack, or the videos and files alone do not fit.
    """
    limit = part_mib * MIB - 0.5 * MIB  # the rest is for the manifest and the lists inside the parts
    sets = [list(_video_pairs(*root_and_split(text))) for text in videos]
    photos = [] if stills is None else _photo_pairs(stills, photo_side)
    if not photos and not sets:
        raise DataError("there is nothing to pack; give --stills DIR, --video ROOT:SPLIT, or both")
    lists = {_split_file(text): _names(pairs) for text, pairs in zip(videos, sets, strict=True)}
    first = lists | {f"files/{path.name}": path.read_bytes() for path in files}
    frames = [pair for pairs in sets for pair in pairs]
    room = parts * limit - sum(_stored(name, data) for name, data in first.items())
    quality = _best_quality([frames, photos], room)
    out.mkdir(parents=True, exist_ok=True)
    writer = _Parts(out, parts, limit)
    for name, data in first.items():
        _require(writer.add({name: data}))
    for pair in frames:
        _require(writer.add(pair.encoded(quality)))
    packed = 0
    for pair in photos:
        if not writer.add(pair.encoded(quality)):
            break
        packed += 1
    writer.close()
    manifest = {
        "format": FORMAT,
        "made": date.today().isoformat(),
        "commit": commit(),
        "licence": licence,
        "quality": quality,
        "frames": len(frames),
        "photos": packed,
        "photos_left_out": len(photos) - packed,
        "stills": "stills" if packed else None,
        "videos": [f"{root_and_split(text)[0].name}:{root_and_split(text)[1]}" for text in videos],
        "parts": {path.name: _facts(path.read_bytes()) for path in writer.paths},
        "files": writer.files,
    }
    with atomic_path(out / MANIFEST) as temporary:
        temporary.write_text(json.dumps(manifest, separators=(",", ":")))
    return manifest


def unpack(folder: Path, out: Path) -> tuple[dict[str, Any], list[str]]:
    """Unpack the parts in ``folder`` that are not yet in ``out``.

    Returns:
        The manifest, and the names of the parts that are still missing.

    Raises:
        DataError: no manifest, or a part or a file that is not what the manifest says.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(
            f"there is no {MANIFEST} in {folder}; expected a folder made by pack_training_data.py"
        )
    manifest = json.loads(path.read_text())
    if manifest.get("format") != FORMAT:
        raise DataError(f"{path} is of the format {manifest.get('format')!r}, expected {FORMAT!r}")
    out.mkdir(parents=True, exist_ok=True)
    missing = []
    for name, facts in manifest["parts"].items():
        done = out / f".{name}.{facts[1][:16]}.unpacked"
        if done.exists():
            continue
        if not (folder / name).is_file():
            missing.append(name)
            continue
        data = (folder / name).read_bytes()
        _check(folder / name, data, facts)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                content = archive.read(member)
                _check(Path(member), content, manifest["files"].get(member))
                archive.extract(member, out)
        done.touch()
    return manifest, missing


class _Parts:
    """Zip files that are filled one after the other."""

    def __init__(self, out: Path, count: int, limit: float) -> None:
        self.out, self.count, self.limit = out, count, limit
        self.files: dict[str, list[Any]] = {}
        self.paths: list[Path] = []
        for old in out.glob("part-*.zip"):
            old.unlink()
        self._begin()

    def add(self, files: dict[str, bytes]) -> bool:
        """Add files that belong together; False where they do not fit any more."""
        need = sum(_stored(name, data) for name, data in files.items())
        if self.used + need > self.limit:
            if len(self.paths) == self.count or need > self.limit:
                return False
            self.archive.close()
            self._begin()
        for name, data in files.items():
            self.archive.writestr(zipfile.ZipInfo(name), data)
            self.files[name] = _facts(data)
        self.used += need
        return True

    def close(self) -> None:
        self.archive.close()

    def _begin(self) -> None:
        self.used = 0.0
        self.paths.append(self.out / f"part-{len(self.paths) + 1}.zip")
        self.archive = zipfile.ZipFile(self.paths[-1], "w", zipfile.ZIP_STORED)


def _photo_pairs(root: Path, side: int) -> list[Pair]:
    """In random order, so that what does not fit is missing from every source alike."""
    pairs = [
        Pair(
            each.image, each.mask, f"stills/images/{each.image.stem}", f"stills/masks/{each.mask.stem}", side
        )
        for each in StillsFolder(root)
    ]
    random.Random(0).shuffle(pairs)
    return pairs


def _video_pairs(root: Path, split: str) -> Iterator[Pair]:
    for sequence in training_videos(root, split):
        for frame, mask in zip(sequence.frames, sequence.masks, strict=True):
            inside = f"480p/{sequence.name}/{frame.stem}"
            names = f"{root.name}/JPEGImages/{inside}", f"{root.name}/Annotations/{inside}"
            yield Pair(frame, mask, *names, VIDEO_SIDE)


def _split_file(text: str) -> str:
    root, split = root_and_split(text)
    return f"{root.name}/ImageSets/{split}.txt"


def _names(pairs: Sequence[Pair]) -> bytes:
    names = dict.fromkeys(pair.image_name.split("/")[-2] for pair in pairs)
    return "".join(f"{name}\n" for name in names).encode()


def _best_quality(groups: Sequence[Sequence[Pair]], room: float) -> int:
    """The highest quality at which the images are expected to fit, or the lowest there is."""
    samples = [group[:: max(len(group) // SAMPLE, 1)] for group in groups if group]
    sizes = [len(group) for group in groups if group]
    for quality in QUALITIES:
        total = 0.0
        for sample, count in zip(samples, sizes, strict=True):
            files = [pair.encoded(quality) for pair in sample]
            used = sum(_stored(name, data) for each in files for name, data in each.items())
            total += used / len(sample) * count
        if total < 0.97 * room:
            return quality
    return QUALITIES[-1]


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _stored(name: str, data: bytes) -> int:
    """Bytes of a file in a zip file without compression, and of its line in the manifest."""
    return len(data) + 76 + 3 * len(name) + 90


def _facts(data: bytes) -> list[Any]:
    return [len(data), hashlib.sha256(data).hexdigest()]


def _check(path: Path, data: bytes, facts: list[Any] | None) -> None:
    if facts != _facts(data):
        raise DataError(
            f"{path} is damaged or of another pack: it is not what {MANIFEST} says; copy it again"
        )


def _require(fits: bool) -> None:
    if not fits:
        raise DataError("the videos and files alone do not fit; allow more --parts or a larger --part-mib")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack", help="write the parts and the manifest")
    packing.add_argument("--stills", type=Path, help="folder of photos with masks")
    packing.add_argument("--video", action="append", default=[], metavar="ROOT:SPLIT", help="may be repeated")
    packing.add_argument(
        "--file", type=Path, action="append", default=[], help="taken along; may be repeated"
    )
    packing.add_argument("--out", type=Path, required=True)
    packing.add_argument("--parts", type=int, default=2, help="how many zip files at most (default: 2)")
    packing.add_argument("--part-mib", type=float, default=44.0, help="size of one at most (default: 44)")
    packing.add_argument("--photo-side", type=int, default=400, help="longest side of photos (default: 400)")
    packing.add_argument("--licence", default=LICENCE, help="the note in the manifest")
    unpacking = commands.add_parser("unpack", help="unpack the parts that are there")
    unpacking.add_argument("folder", type=Path)
    unpacking.add_argument("--out", type=Path, required=True)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    if options.command == "unpack":
        manifest, missing = unpack(options.folder, options.out)
        print(
            f"{len(manifest['parts']) - len(missing)} of {len(manifest['parts'])} parts are in {options.out}"
        )
        return
    manifest = pack(
        options.out, options.stills, options.video, options.file, options.parts, options.part_mib,
        options.photo_side, options.licence,
    )  # fmt: skip
    for name, (size, digest) in manifest["parts"].items():
        print(f"{options.out / name}: {size / MIB:.1f} MiB, sha256 {digest[:16]}")
    print(
        f"{manifest['frames']} frames and {manifest['photos']} photos at quality {manifest['quality']}; "
        f"{manifest['photos_left_out']} photos did not fit"
    )


if __name__ == "__main__":
    main()
