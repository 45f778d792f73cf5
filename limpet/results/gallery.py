"""A folder of pictures and videos of one clip, in several kinds, valid at every moment."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.core.errors import Option, OutputError
from limpet.core.files import atomic_path, output_error, temporary_name
from limpet.core.json_text import read_json
from limpet.results.overlay_video import OverlayVideo
from limpet.video.encode import EncoderMissingError

FACTS = "visualise.json"
MADE_BY = "limpet visualise"
_OURS = re.compile(r"\d{5,}\.png")


class Gallery:
    """Writes ``KIND/00010.png`` and ``KIND.mp4`` for each kind of picture, and visualise.json.

    Use it in ``with``. A picture is complete as soon as it is added, a video on leaving, also after Ctrl-C or an
    error. Nothing on disk changes before the first ``add``.

    Args:
        out: the folder; created if necessary. One that is not empty is refused.
        kinds: of pictures.
        frame_rate: of the video.
        movies: also write videos; without an H.264 encoder they are left out, and a notice says so.
        overwrite: replace an earlier gallery in the folder; only its own files are removed.

    Attributes:
        pictures: how many PNG files were written.
        notices: what else to know.

    Raises:
        OutputError: the folder cannot be used, or writing fails.
    """

    def __init__(
        self,
        out: str | Path,
        kinds: tuple[str, ...],
        *,
        frame_rate: Fraction | None = None,
        movies: bool = True,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(out)
        self.pictures = 0
        self.notices: list[str] = []
        self._facts: Mapping[str, Any] = {}
        self._frame_rate = frame_rate
        self._wants_movies = movies
        self._movies: dict[str, OverlayVideo] = {}
        self._begin: float | None = None
        self._started = False
        self._earlier = _earlier(self.path, kinds, overwrite)

    def __enter__(self) -> Self:
        return self

    def describe(self, facts: Mapping[str, Any]) -> None:
        """Set, before the first ``add``, what visualise.json says about how the pictures were made."""
        self._facts = facts

    def add(self, kind: str, index: int, time: float, image: NDArray[np.uint8], *, still: bool) -> None:
        """Add one picture, uint8 (H, W, 3) RGB, of frame ``index`` at ``time`` seconds to the video of its kind.

        ``still``: write it as a PNG too. The pictures of a kind have one size. Raises OutputError.
        """
        if not self._started:
            self._start()
        if still:
            target = self.path / kind / f"{index:05d}.png"
            self._make(target.parent)
            with atomic_path(target) as temporary:
                Image.fromarray(image).save(temporary, format="PNG")
            self.pictures += 1
        movie = self._movie(kind, (image.shape[0], image.shape[1]))
        if movie is not None:
            self._begin = time if self._begin is None else self._begin
            movie.write(image, time - self._begin)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failed: OutputError | None = None
        for movie in self._movies.values():
            try:
                movie.finish(keep=False)
            except OutputError as problem:
                failed = problem
        if failed is not None and error is None:  # never hide what went wrong first
            raise failed

    def _start(self) -> None:
        self._started = True
        self._make(self.path)
        try:
            for path in self._earlier:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise output_error(error, self.path) from error
        with atomic_path(self.path / FACTS) as temporary:
            temporary.write_text(
                json.dumps({"made_by": MADE_BY, **self._facts}, indent=1) + "\n", encoding="utf-8"
            )

    def _movie(self, kind: str, size: tuple[int, int]) -> OverlayVideo | None:
        if kind not in self._movies and self._wants_movies:
            target = self.path / f"{kind}.mp4"
            try:
                self._movies[kind] = OverlayVideo(target, temporary_name(target), size, self._frame_rate)
            except EncoderMissingError as error:
                self._wants_movies = False
                self.notices.append(f"the videos were left out: {error}")
        return self._movies.get(kind)

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(error, folder) from error


def _earlier(folder: Path, kinds: tuple[str, ...], overwrite: bool) -> list[Path]:
    """The files of an earlier gallery that are to be replaced. Raises OutputError when the folder cannot be used."""
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file; choose a folder for the pictures")
        if not folder.is_dir() or not any(folder.iterdir()):
            return []
        if not overwrite:
            raise OutputError(
                f"{folder} exists and is not empty; choose another folder, or pass ", Option("overwrite")
            )
        if not _is_ours(folder):
            raise OutputError(
                f"{folder} holds files that limpet visualise did not make ({FACTS} is missing or another program's); ",
                Option("overwrite"),
                " replaces only its own pictures: choose another folder",
            )
        pictures = [path for kind in kinds for path in folder.glob(f"{kind}/*") if _OURS.fullmatch(path.name)]
        torn = [path for kind in kinds for path in folder.glob(f".{kind}.*.tmp.mp4")]
        return [*pictures, *torn, *(folder / f"{kind}.mp4" for kind in kinds)]
    except OSError as error:
        raise output_error(error, folder) from error


def _is_ours(folder: Path) -> bool:
    try:
        return bool(read_json(folder / FACTS)["made_by"] == MADE_BY)
    except (OSError, ValueError, KeyError, TypeError):
        return False
