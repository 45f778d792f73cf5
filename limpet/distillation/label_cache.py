"""The folder of a teacher's labels: DAVIS layout, and labels.json, which says how each clip was labelled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.core.check_sums import CHECK_SUM, check_content, check_sum
from limpet.core.errors import Option, OutputError
from limpet.core.files import atomic_path, output_error
from limpet.core.json_text import read_json
from limpet.core.limits import limits
from limpet.core.masks import write_mask
from limpet.core.saved_records import record_from

FORMAT = "limpet-labels-1"
SPLIT = "labels"
"""The list (ImageSets/labels.txt) of the clips that the last run was asked for."""
KINDS = ("Annotations", "JPEGImages")
PART = ".part"
"""Where a clip is written until it is done."""
_WAYS_OUT = ("; use ", Option("relabel"), " to label these clips again, or choose another folder")


@dataclass(frozen=True)
class LabelledClip:
    """How one clip was labelled.

    name: of the clip. nbytes, sha256_head: its length and a hash of its first bytes, by which it is known again.
    first_mask: "given" or "proposal". mask_sha256: of the file of a given one, else "".
    first_frame: the frame of the clip that the labels begin with.
    frames: how many are labelled, the first mask's too; 0 where the object was lost too soon.
    dropped: frames after that, and frames that could not be decoded; None where the clip's length is unknown.
    objects: how many. confidence: mean of all frames but the first and of all objects, 0..1.
    size: bytes of the labels. ended: why they end before the clip does, or "".
    """

    name: str
    nbytes: int
    sha256_head: str
    first_mask: str
    mask_sha256: str
    first_frame: int
    frames: int
    dropped: int | None
    objects: int
    confidence: float
    size: int
    ended: str = ""

    def identity(self) -> tuple[object, ...]:
        """What must be the same for the labels to hold."""
        return (self.nbytes, self.sha256_head, self.first_mask, self.mask_sha256)


class LabelCache:
    """Labels on disk. A clip is in it when labels.json says so; until then nothing counts.

    Args:
        path: the folder, made when the first label is written.
        head: teacher and settings, plain data; labels of others are refused.
        relabel: remove labels that do not fit ``head`` instead of refusing them.

    Attributes:
        clips: the finished clips by name.

    Raises:
        OutputError: the folder holds other things, labels that do not fit, or cannot be written.
    """

    def __init__(self, path: Path, head: Mapping[str, Any], relabel: bool = False) -> None:
        self.path = path
        self._head = json.loads(json.dumps(head))
        self._relabel = relabel
        self.clips: dict[str, LabelledClip] = {}
        was = self._read()
        if was is None:
            return
        self.clips = was[1]
        changes = _changes(was[0], self._head)
        if not changes:
            return
        if not relabel:
            raise OutputError(f"{path} holds labels that were made otherwise: {changes}", *_WAYS_OUT)
        for name in list(self.clips):
            self._forget(name)

    @property
    def nbytes(self) -> int:
        """Bytes of all labels."""
        return sum(clip.size for clip in self.clips.values())

    def check(self, now: Mapping[str, tuple[object, ...]]) -> None:
        """That clips and first masks are still those that the labels were made from.

        Args:
            now: the identity of each clip, see ``LabelledClip.identity``.

        Raises:
            OutputError: some are others; names them. Where relabelling was asked for, their labels are removed.
        """
        changed = [name for name, clip in self.clips.items() if name in now and now[name] != clip.identity()]
        if changed and not self._relabel:
            what = ", ".join(_what_changed(self.clips[name], now[name]) for name in changed[:5])
            more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
            raise OutputError(f"{self.path} holds labels of other footage: {what}{more}", *_WAYS_OUT)
        for name in changed:
            self._forget(name)

    @contextmanager
    def writing(self, quality: int) -> Iterator[ClipWriter]:
        """A place for one clip's frames and masks; they are removed in the end unless ``finish`` moved them.

        Raises:
            OutputError: it cannot be written; says what is done so far.
        """
        part = self.path / PART
        shutil.rmtree(part, ignore_errors=True)
        try:
            yield ClipWriter(part, quality)
        except OutputError as error:
            kept = f"{len(self.clips)} clips are done and kept in {self.path}"
            raise OutputError(f"{error}; {kept}, and the same command goes on from there") from error
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def finish(self, clip: LabelledClip, part: ClipWriter) -> None:
        """Take the clip in: its masks first, so that no frame is ever there without one, labels.json last."""
        for kind in KINDS if clip.frames else ():
            target = self.path / kind / "480p" / clip.name
            with _told(target):
                shutil.rmtree(target, ignore_errors=True)
                target.parent.mkdir(parents=True, exist_ok=True)
                (part.path / kind).rename(target)
        self._write({**self.clips, clip.name: clip})

    def list_clips(self, names: Sequence[str]) -> None:
        """Write the list that names these clips. Raises OutputError."""
        listing = self.path / "ImageSets" / f"{SPLIT}.txt"
        with _told(listing):
            listing.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(listing) as temporary:
            temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")

    def _forget(self, name: str) -> None:
        """labels.json is written first: what is interrupted after that leaves files, but no labels."""
        self._write({other: clip for other, clip in self.clips.items() if other != name})
        for kind in KINDS:
            shutil.rmtree(self.path / kind / "480p" / name, ignore_errors=True)

    def _read(self) -> tuple[dict[str, Any], dict[str, LabelledClip]] | None:
        listing = self.path / "labels.json"
        if self.path.is_dir() and not listing.exists() and any(p.name != PART for p in self.path.iterdir()):
            raise OutputError(
                f"{self.path} is not empty and holds no labels (labels.json is missing); choose another folder"
            )
        if not listing.exists():
            return None
        try:
            content = read_json(listing, limits().json_bytes)
            if content["format"] != FORMAT:
                raise ValueError(f"format {content['format']!r}, expected {FORMAT!r}")
            check_content(content)
            found = {
                name: record_from(LabelledClip, {"name": name, **facts})
                for name, facts in content["clips"].items()
            }
            return dict(content["made_with"]), found
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(
                f"{listing} cannot be used ({error}); remove {self.path} or choose another folder"
            ) from error

    def _write(self, finished: dict[str, LabelledClip]) -> None:
        clips = {
            name: {k: v for k, v in asdict(clip).items() if k != "name"} for name, clip in finished.items()
        }
        content = {"format": FORMAT, "made_with": self._head, "clips": clips}
        content[CHECK_SUM] = check_sum(content)
        with atomic_path(self.path / "labels.json") as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        self.clips = finished


class ClipWriter:
    """Frames and masks of a clip that is not finished.

    Attributes:
        path: where they are.
    """

    def __init__(self, path: Path, quality: int) -> None:
        self.path, self._quality = path, quality
        self._sizes: list[int] = []
        with _told(path):
            for kind in KINDS:
                (path / kind).mkdir(parents=True)

    @property
    def frames(self) -> int:
        """How many there are."""
        return len(self._sizes)

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return sum(self._sizes)

    def add(self, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        """Write image uint8 (H, W, 3) RGB and mask uint8 (H, W). Raises OutputError."""
        frame, label = self._files(self.frames)
        with _told(frame):
            Image.fromarray(image).save(frame, quality=self._quality)
            write_mask(label, mask)
            self._sizes.append(frame.stat().st_size + label.stat().st_size)

    def keep(self, count: int) -> None:
        """Remove all but the first ``count`` frames. Raises OutputError."""
        with _told(self.path):
            for number in range(count, self.frames):
                for path in self._files(number):
                    path.unlink()
        del self._sizes[count:]

    def _files(self, number: int) -> tuple[Path, Path]:
        return self.path / "JPEGImages" / f"{number:05d}.jpg", self.path / "Annotations" / f"{number:05d}.png"


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise output_error(error, path) from error


def _changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """As "teacher weights_sha256 was … and is …", for what differs; "" where the labels hold.

    What was written down once and matters no more is not looked at.
    """
    lines = []
    for key, new in now.items():
        old = was.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            inner = _changes(old, new)
            lines += [f"{key} {inner}"] if inner else []
        elif old != new:
            lines.append(f"{key} was {_short(old)} and is {_short(new)}")
    return ", ".join(lines)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"


def _what_changed(was: LabelledClip, now: tuple[object, ...]) -> str:
    names = ("length", "content", "first mask", "first mask")
    pairs = zip(names, was.identity(), now, strict=True)
    changed = list(dict.fromkeys(name for name, old, new in pairs if old != new))
    return f"{was.name} ({' and '.join(changed)} changed)"
